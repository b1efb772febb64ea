-- Runs.
CREATE TABLE clicks (user_id INT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen - INTERVAL '5' SECOND) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE counts (user_id INT, starts TIMESTAMP(3), clicks BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO counts
SELECT user_id, TUMBLE_START(seen, INTERVAL '1' MINUTE), COUNT(*)
FROM clicks
GROUP BY user_id, TUMBLE(seen, INTERVAL '1' MINUTE);
