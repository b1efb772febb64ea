-- One row per record of the topic `fraud-alerts`, keyed by card_id: a step in the life of a card's case; a record that
-- doesn't decode has only `error` and `payload`. Event time is the record's timestamp. A step may be there twice, under
-- the same event_id. The features, whose values have several types, are read out of `payload`.
CREATE TABLE fraud_alerts (
    event_id STRING,
    event_type STRING,
    case_id STRING,
    card_id STRING,
    customer_id STRING,
    payment_id STRING,
    score BIGINT,
    rules ARRAY<ROW<
        `rule` STRING NOT NULL,
        score BIGINT NOT NULL,
        reason STRING NOT NULL
    > NOT NULL>,
    ruleset_version BIGINT,
    payments ARRAY<STRING NOT NULL>,
    payment_count BIGINT,
    amount_minor BIGINT,
    currency STRING,
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
    'topic' = 'fraud-alerts',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${FRAUD_ALERTS_SCHEMA}'
) LIKE kafka_source
