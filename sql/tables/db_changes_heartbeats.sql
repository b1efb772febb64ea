-- One row per record of the topic `db-changes.heartbeats`, keyed by connector: what was committed before it has come
-- through when it has; a record that doesn't decode has only `error` and `payload`. Event time is the record's timestamp,
-- when the database changed the row, and so how far capture has come. While none comes it holds event time back for as
-- long as an order is to wait for capture. One instance reads it: another one would have to be idle for that long first.
CREATE TABLE db_changes_heartbeats (
    event_id STRING,
    op STRING,
    lsn BIGINT,
    deleted BOOLEAN,
    event_type STRING,
    connector STRING,
    beats BIGINT,
    record_error STRING,
    payload BYTES,
    record_key BYTES,
    event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
    source_topic STRING METADATA FROM 'topic' VIRTUAL,
    source_partition INT METADATA FROM 'partition' VIRTUAL,
    source_offset BIGINT METADATA FROM 'offset' VIRTUAL,
    source_headers MAP<STRING, BYTES> METADATA FROM 'headers',
    error AS CASE
        WHEN event_time < TO_TIMESTAMP_LTZ(0, 3) THEN 'the record''s timestamp is before 1970'
        WHEN event_time >= TO_TIMESTAMP_LTZ(${END_OF_TIME_MS}, 3) THEN
            'the record''s timestamp is in the year 9999 or later'
        ELSE record_error
    END,
    WATERMARK FOR event_time AS CASE
        WHEN event_time >= TO_TIMESTAMP_LTZ(0, 3) AND event_time < TO_TIMESTAMP_LTZ(${END_OF_TIME_MS}, 3) THEN
            event_time - INTERVAL '${MILLRACE_WATERMARK_DELAY_SECONDS}' SECOND
    END
) WITH (
    'topic' = 'db-changes.heartbeats',
    'scan.parallelism' = '1',
    'scan.watermark.idle-timeout' = '${MILLRACE_CAPTURE_WAIT_SECONDS} s',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${DB_CHANGES_HEARTBEATS_SCHEMA}'
) LIKE kafka_source (OVERWRITING OPTIONS)
