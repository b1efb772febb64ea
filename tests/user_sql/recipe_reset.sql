-- recipe_reset.sql, line 3, RESET 'table.exec.state.ttl': a pipeline contains SET, CREATE and DROP of tables, views, functions
SET 'table.exec.state.ttl' = '1 h';
RESET 'table.exec.state.ttl';
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
