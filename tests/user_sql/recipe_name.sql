-- recipe_name.sql, line 2, SET 'pipeline.name': a file can't set this: the job is called as its file is
SET 'pipeline.name' = 'My job';
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
