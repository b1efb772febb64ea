-- Runs.
CREATE TABLE clicks (user_id INT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen - INTERVAL '5' SECOND) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE visits (user_id INT, starts TIMESTAMP(3), ends TIMESTAMP(3), clicks BIGINT) WITH (
    'connector' = 'blackhole'
);
INSERT INTO visits
SELECT user_id, window_start, window_end, COUNT(*)
FROM TABLE(SESSION(TABLE clicks PARTITION BY user_id, DESCRIPTOR(seen), INTERVAL '10' MINUTES))
GROUP BY user_id, window_start, window_end;
