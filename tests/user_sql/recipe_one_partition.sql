-- Runs.
CREATE TABLE sales (price DOUBLE) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE kept (price DOUBLE, sold_on STRING) PARTITIONED BY (sold_on) WITH (
    'connector' = 'filesystem',
    'path' = 'file://${FOLDER}/kept',
    'format' = 'csv'
);
INSERT INTO kept PARTITION (sold_on = '2026-03-01') SELECT price FROM sales;
