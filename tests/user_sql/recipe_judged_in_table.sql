-- Runs.
CREATE TABLE clicks (user_id INT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen - INTERVAL '5' SECOND) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE late (user_id INT) WITH ('connector' = 'blackhole');
INSERT INTO late
SELECT user_id
FROM TABLE(with_watermark(input => TABLE clicks, on_time => DESCRIPTOR(seen), uid => 'clicks-with-watermark'))
WHERE seen <= last_watermark;
