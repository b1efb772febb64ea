-- One row per record that a decision may depend on, in the order of arrival: of `kind` alert, order or customer, with
-- the customer it is about; `error` says why a record can't be used. A customer's version has the recipient's name,
-- address and language. The clock adds no row, only event time. `watermark_ms` is the event time when a record is read,
-- also right after a restore, in milliseconds; NULL before there is any.
CREATE TEMPORARY VIEW records_of_recipients AS
WITH all_records AS (
    SELECT
        'alert' AS kind,
        customer_id,
        event_time,
        source_topic,
        source_partition,
        source_offset,
        record_key,
        source_headers,
        payload,
        error
    FROM fraud_alerts
    UNION ALL
    SELECT
        'order' AS kind,
        customer_id,
        event_time,
        source_topic,
        source_partition,
        source_offset,
        record_key,
        source_headers,
        payload,
        error
    FROM enriched_orders
    UNION ALL
    SELECT
        'customer' AS kind,
        customer_id,
        event_time,
        source_topic,
        source_partition,
        source_offset,
        record_key,
        source_headers,
        payload,
        error
    FROM db_changes_customers
    UNION ALL
    SELECT
        'clock' AS kind,
        CAST(NULL AS STRING),
        event_time,
        CAST(NULL AS STRING),
        CAST(NULL AS INT),
        CAST(NULL AS BIGINT),
        CAST(NULL AS BYTES),
        CAST(NULL AS MAP<STRING, BYTES>),
        CAST(NULL AS BYTES),
        CAST(NULL AS STRING)
    FROM clock
)
SELECT
    kind,
    -- A record that can't be used has no recipient; so that not all of them have one key, each has its own.
    COALESCE(
        customer_id,
        CONCAT_WS('-', source_topic, CAST(source_partition AS STRING), CAST(source_offset AS STRING))
    ) AS recipient,
    rowtime AS event_time,
    source_topic,
    source_partition,
    source_offset,
    record_key,
    source_headers,
    payload,
    error,
    EXTRACT(EPOCH FROM last_watermark) * 1000 + EXTRACT(MILLISECOND FROM last_watermark) AS watermark_ms
FROM with_watermark(
    input => TABLE all_records,
    on_time => DESCRIPTOR(event_time),
    uid => 'records-with-watermark'
)
WHERE kind <> 'clock'
