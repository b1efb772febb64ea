-- recipe_show.sql, line 3, SHOW TABLES: a pipeline contains SET, CREATE and DROP of tables, views, functions
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
SHOW TABLES;
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
