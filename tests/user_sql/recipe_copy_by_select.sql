-- recipe_copy_by_select.sql, line 3, CREATE TABLE copied: it would write while the pipeline is only planned
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE copied WITH ('connector' = 'blackhole') AS SELECT x FROM a;
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
