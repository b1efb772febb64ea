-- One row per record of `searchable_records`, which is in the index once its row is here, unless `error` says why not.
CREATE TEMPORARY VIEW indexed_records AS
SELECT
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    record_key,
    payload,
    event_time,
    index_documents(source_topic, record_key, payload, error) AS error
FROM searchable_records
