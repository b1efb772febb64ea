-- One row per record of the topics that the index is made of, in no order between them; a record that doesn't decode has
-- an `error`.
CREATE TEMPORARY VIEW searchable_records AS
SELECT
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    record_key,
    payload,
    event_time,
    error
FROM enriched_orders
UNION ALL
SELECT
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    record_key,
    payload,
    event_time,
    error
FROM fraud_alerts
