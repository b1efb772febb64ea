-- auction_side_input.sql, line 11, INSERT INTO results: Temporal Table Join requires primary key in versioned table
CREATE TABLE bids (auction BIGINT, price BIGINT, seen AS PROCTIME()) WITH ('connector' = 'datagen');
CREATE TABLE side_input (key BIGINT, `value` STRING) WITH (
    'connector' = 'filesystem',
    'path' = 'file:///tmp/side-input',
    'format' = 'csv'
);
CREATE TABLE results (auction BIGINT, price BIGINT, `value` STRING) WITH ('connector' = 'blackhole');

-- A file can't be looked into row by row.
INSERT INTO results
SELECT b.auction, b.price, s.`value`
FROM bids AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.seen AS s ON MOD(b.auction, 10000) = s.key;
