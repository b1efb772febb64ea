-- Runs.
CREATE TABLE bids (bidder BIGINT, price BIGINT, seen AS PROCTIME()) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '20'
);
CREATE TABLE counts (bidder BIGINT, bids BIGINT, starts TIMESTAMP_LTZ(3)) WITH ('connector' = 'blackhole');
INSERT INTO counts
SELECT bidder, COUNT(*), window_start
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(seen), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
