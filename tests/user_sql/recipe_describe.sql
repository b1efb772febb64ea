-- recipe_describe.sql, line 3, DESCRIBE a: a pipeline contains SET, CREATE and DROP of tables, views, functions
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
DESCRIBE a;
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
