-- recipe_quit.sql, line 5, QUIT: it stands behind the inserts
CREATE TABLE a (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT x FROM a;
QUIT;
