-- Runs.
CREATE TABLE sales (
    supplier STRING,
    price DOUBLE,
    seen TIMESTAMP(3),
    tags ARRAY<STRING>,
    WATERMARK FOR seen AS seen
) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE best (supplier STRING, total DOUBLE, place BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE tagged (supplier STRING, tag STRING) WITH ('connector' = 'blackhole');

BEGIN STATEMENT SET;
INSERT INTO best
WITH sums AS (
    SELECT window_start, window_end, supplier, SUM(price) AS total
    FROM TABLE(TUMBLE(TABLE sales, DESCRIPTOR(seen), INTERVAL '10' MINUTES))
    GROUP BY window_start, window_end, supplier
)
SELECT supplier, total, place
FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY total DESC) AS place
    FROM sums
)
WHERE place <= 3;
INSERT INTO tagged SELECT supplier, tag FROM sales CROSS JOIN UNNEST(tags) AS t (tag);
END;
