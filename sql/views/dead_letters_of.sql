-- One row per record of the table ${TABLE} whose column `error` says what is wrong with it, as `dead_letters_out` takes it.
CREATE TEMPORARY VIEW dead_letters_of_${TABLE} AS
SELECT
    CONCAT_WS('-', source_topic, CAST(source_partition AS STRING), CAST(source_offset AS STRING)) AS event_id,
    'dead_letter' AS event_type,
    EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS event_time,
    source_topic,
    CAST(source_partition AS BIGINT) AS source_partition,
    source_offset,
    record_key AS source_key,
    source_headers,
    payload,
    error AS reason,
    '${JOB}' AS rejected_by,
    -- Kafka takes no time before 1970; the sink makes the same of event_time, and keeps the record's own in source_time.
    CASE WHEN event_time < TO_TIMESTAMP_LTZ(0, 3) THEN TO_TIMESTAMP_LTZ(0, 3) ELSE event_time END AS record_time
FROM ${TABLE}
WHERE error IS NOT NULL
