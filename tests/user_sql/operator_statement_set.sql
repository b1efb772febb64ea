-- Runs.
/* Two sinks out of one source; the checkpoints
   are as often as the file says: ${NOT_A_SETTING} is only a comment here. */
SET 'execution.checkpointing.interval' = '10s';
SET 'execution.runtime-mode' = 'streaming';
SET 'sql-client.execution.result-mode' = 'tableau';

CREATE TABLE numbers (a INT, b STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE kept (a INT) WITH ('connector' = 'blackhole');
CREATE TABLE logged (b STRING) WITH ('connector' = 'blackhole');

BEGIN STATEMENT SET;
INSERT INTO kept SELECT a FROM numbers WHERE a > 0;
INSERT INTO logged SELECT CASE WHEN a > 0 THEN b ELSE '; END;' END FROM numbers;
END;
