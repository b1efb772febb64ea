-- Runs.
CREATE TABLE transactions (currency STRING, amount DOUBLE, seen TIMESTAMP(3), WATERMARK FOR seen AS seen) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE rates (currency STRING, rate DOUBLE, valid_from TIMESTAMP(3), WATERMARK FOR valid_from AS valid_from) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE converted (amount DOUBLE) WITH ('connector' = 'blackhole');
CREATE TEMPORARY VIEW versioned_rates AS
SELECT currency, rate, valid_from
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY valid_from DESC) AS nth FROM rates)
WHERE nth = 1;

INSERT INTO converted
SELECT t.amount * r.rate
FROM transactions AS t
LEFT JOIN versioned_rates FOR SYSTEM_TIME AS OF t.seen AS r ON t.currency = r.currency;
