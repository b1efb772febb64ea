-- recipe_several_jobs.sql, line 5, INSERT INTO b: a pipeline is one job, with one statement set; put all inserts
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
INSERT INTO b SELECT x + 1 FROM a;
