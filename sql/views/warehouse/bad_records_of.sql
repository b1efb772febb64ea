-- One row per record of ${TABLE} that can't be loaded, with the columns that a dead letter is made of.
CREATE TEMPORARY VIEW bad_records_of_${TABLE} AS
SELECT
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    record_key,
    payload,
    event_time,
    fault AS error
FROM checked_${TABLE}
