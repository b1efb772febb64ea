-- One row per record of the topics that the index is made of, in no order between them; a record that doesn't decode has
-- an `error`, one that has no value has no `payload`: what its key stands for is gone.
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
FROM enriched_orders /*+ OPTIONS('value.guarded-json.keep-tombstones' = 'true') */
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
FROM fraud_alerts /*+ OPTIONS('value.guarded-json.keep-tombstones' = 'true') */
