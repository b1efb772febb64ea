-- recipe_show.sql, line 3, SHOW TABLES: a pipeline contains SET, CREATE, ALTER and DROP
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
SHOW TABLES;
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
