-- Runs.
CREATE TABLE events (
    kind INT,
    person ROW<id BIGINT, name STRING, city STRING, seen TIMESTAMP(3)>,
    auction ROW<id BIGINT, item STRING, seller BIGINT, category BIGINT, expires TIMESTAMP(3)>,
    bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING>,
    seen TIMESTAMP(3),
    WATERMARK FOR seen AS seen - INTERVAL '4' SECOND
) WITH (
    'connector' = 'datagen',
    'number-of-rows' = '50',
    'fields.kind.min' = '0',
    'fields.kind.max' = '2'
);
CREATE VIEW auctions AS SELECT auction.id, auction.category, auction.seller, auction.expires, seen FROM events WHERE kind = 1;
CREATE VIEW bids AS
SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, seen FROM events WHERE kind = 2;
CREATE TABLE results (a BIGINT, b BIGINT, c STRING) WITH ('connector' = 'blackhole');

EXECUTE STATEMENT SET BEGIN
-- Currency and filter.
INSERT INTO results SELECT auction, CAST(0.908 * price AS BIGINT), channel FROM bids WHERE MOD(auction, 123) = 0;
-- The hottest auctions of each window.
INSERT INTO results
SELECT counts.auction, counts.num, CAST(counts.window_start AS STRING)
FROM (
    SELECT auction, COUNT(*) AS num, window_start, window_end
    FROM TABLE(HOP(TABLE bids, DESCRIPTOR(seen), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
) AS counts
JOIN (
    SELECT MAX(num) AS most, window_start, window_end
    FROM (
        SELECT auction, COUNT(*) AS num, window_start, window_end
        FROM TABLE(HOP(TABLE bids, DESCRIPTOR(seen), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
        GROUP BY auction, window_start, window_end
    )
    GROUP BY window_start, window_end
) AS hottest
ON counts.window_start = hottest.window_start AND counts.window_end = hottest.window_end AND counts.num >= hottest.most;
-- Average of each category's winning bids.
INSERT INTO results
SELECT category, CAST(AVG(final) AS BIGINT), ''
FROM (
    SELECT MAX(b.price) AS final, a.category
    FROM auctions AS a, bids AS b
    WHERE a.id = b.auction AND b.seen BETWEEN a.seen AND a.expires
    GROUP BY a.id, a.category
)
GROUP BY category;
-- Bids of a bidder by session, and by day with filters.
INSERT INTO results
SELECT bidder, COUNT(*), ''
FROM TABLE(SESSION(TABLE bids PARTITION BY bidder, DESCRIPTOR(seen), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
INSERT INTO results
SELECT COUNT(*) FILTER (WHERE price < 10000), COUNT(DISTINCT bidder), DATE_FORMAT(seen, 'yyyy-MM-dd')
FROM bids
GROUP BY DATE_FORMAT(seen, 'yyyy-MM-dd');
-- The newest bid of each bidder on an auction, and the ten best of each auction.
INSERT INTO results
SELECT auction, price, url
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY seen DESC) AS n FROM bids)
WHERE n <= 1;
INSERT INTO results
SELECT auction, price, SPLIT_INDEX(url, '/', 3)
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS n FROM bids)
WHERE n <= 10;
END;
