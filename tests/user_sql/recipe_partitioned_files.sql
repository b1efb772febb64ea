-- Runs.
CREATE TABLE sales (shop STRING, price DOUBLE, seen TIMESTAMP(3)) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20',
    'fields.shop.length' = '1'
);
CREATE TABLE kept (price DOUBLE, shop STRING) PARTITIONED BY (shop) WITH (
    'connector' = 'filesystem',
    'path' = 'file://${FOLDER}/kept',
    'format' = 'csv',
    'sink.partition-commit.policy.kind' = 'success-file'
);
INSERT INTO kept SELECT price, shop FROM sales;
