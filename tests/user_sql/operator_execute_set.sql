-- Runs.
DROP TABLE IF EXISTS numbers;
CREATE TABLE numbers (a INT, b STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE kept (a INT) WITH ('connector' = 'blackhole');
EXECUTE STATEMENT SET
BEGIN
  INSERT INTO kept SELECT a FROM numbers;
  INSERT INTO kept SELECT a + 1 FROM numbers;
END;
