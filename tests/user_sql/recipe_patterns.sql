-- Runs.
CREATE DATABASE IF NOT EXISTS shop;
USE shop;
CREATE TEMPORARY TABLE subscriptions (
    id STRING,
    user_id INT,
    kind STRING,
    starts TIMESTAMP(3),
    WATERMARK FOR starts AS starts - INTERVAL '1' MINUTE
) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE changes (user_id INT, was STRING, became STRING) WITH ('connector' = 'blackhole');

INSERT INTO `default_catalog`.`shop`.`changes`
SELECT user_id, was, became
FROM subscriptions
MATCH_RECOGNIZE (
    PARTITION BY user_id
    ORDER BY starts
    MEASURES LAST(premium.kind) AS was, another.kind AS became
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (premium another) WITHIN INTERVAL '1' DAY
    DEFINE premium AS premium.kind = 'premium', another AS another.kind <> 'premium'
);
