-- How many payments of each country are declined, in a sliding hour.
-- One row per: country and hour with a payment, an hour every five minutes.
-- Keyed by: country.
-- Late: a payment that is seen after the watermark has closed the last hour that it is in. It is in no row and becomes
-- a dead letter. One that is seen after some of its hours were closed is in the others.

-- A payment that is sent again within two hours, under the same payment_id, counts once, as it was first seen. After that
-- it counts again, in the hours that the first one isn't in.
SET 'table.exec.state.ttl' = '2 h';

-- One row per record; `error` says why it is in no figure. Late is decided once, before duplicates are dropped, so that
-- both inserts decide alike: each record is counted, or a duplicate of one that is, or a dead letter. Of the hours that a
-- payment is in, the last begins with its own five minutes.
CREATE TEMPORARY VIEW judged_payments AS
SELECT
    payment_id,
    country,
    status,
    CASE
        WHEN
            error IS NULL
            AND FLOOR(event_time TO HOUR)
            + EXTRACT(MINUTE FROM event_time) / 5 * INTERVAL '5' MINUTE
            + INTERVAL '59:59.999' MINUTE TO SECOND <= last_watermark
            THEN 'late: its last hour was closed'
        ELSE error
    END AS error,
    record_key,
    payload,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    rowtime
FROM with_watermark(
    input => TABLE payments,
    on_time => DESCRIPTOR(event_time),
    uid => 'payments-with-watermark'
);

-- One row per payment, as it is first seen, or first again after two hours.
CREATE TEMPORARY VIEW payments_in_time AS
SELECT
    payment_id,
    country,
    status,
    rowtime
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY payment_id ORDER BY PROCTIME()) AS nth
    FROM judged_payments
    WHERE error IS NULL
)
WHERE nth = 1;

-- One row per country and hour. Payments are distinguished once more, since in two hours without a record event time stands
-- still, and a duplicate is in time.
CREATE TEMPORARY VIEW hourly_payments AS
SELECT
    window_start,
    window_end,
    window_time,
    country,
    COUNT(DISTINCT payment_id) AS payments,
    COUNT(DISTINCT payment_id) FILTER (WHERE status = 'declined') AS declined
FROM TABLE(HOP(TABLE payments_in_time, DESCRIPTOR(rowtime), INTERVAL '5' MINUTE, INTERVAL '1' HOUR))
GROUP BY
    window_start,
    window_end,
    window_time,
    country;

EXECUTE STATEMENT SET
BEGIN
INSERT INTO declined_rates_out
SELECT
    CONCAT_WS('-', country, DATE_FORMAT(window_start, 'yyyy-MM-dd''T''HH:mm''Z''')),
    EXTRACT(EPOCH FROM window_end) * 1000 - 1,
    'declined_rate',
    EXTRACT(EPOCH FROM window_start) * 1000,
    EXTRACT(EPOCH FROM window_end) * 1000,
    country,
    payments,
    declined,
    CAST(declined AS DOUBLE) / payments,
    window_time
FROM hourly_payments;

INSERT INTO dead_letters_out
SELECT
    event_id,
    event_type,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_key,
    source_headers,
    payload,
    reason,
    rejected_by,
    record_time
FROM dead_letters_of_judged_payments;
END;
