-- recipe_batch.sql, line 2, SET 'execution.runtime-mode': a file can't set this: a pipeline is a streaming job
SET 'execution.runtime-mode' = 'batch';
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a ORDER BY x;
