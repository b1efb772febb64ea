-- One row per record of the topic `revenue-per-minute`, keyed by category: what one category sold in one minute, in one
-- currency; a record that doesn't decode has only `error` and `payload`. Event time is the record's timestamp, the
-- minute's last millisecond. A minute may be there more than once, under the same event_id: the greatest revision holds.
CREATE TABLE revenue_per_minute (
    event_id STRING,
    event_type STRING,
    window_start BIGINT,
    window_end BIGINT,
    category STRING,
    currency STRING,
    revision BIGINT,
    orders BIGINT,
    pieces BIGINT,
    revenue_minor BIGINT,
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
    'topic' = 'revenue-per-minute',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${REVENUE_PER_MINUTE_SCHEMA}'
) LIKE kafka_source
