-- recipe_old_set.sql, line 2, SET table.exec.mini-batch.enabled: write SET 'key' = 'value'
SET table.exec.mini-batch.enabled=true;
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
