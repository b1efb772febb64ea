-- One row per record of the topic `payments`, keyed by card_id; a record that is no payment has only `error` and
-- `payload`. Event time is the record's timestamp, so that watermarks are made per partition and whatever the payload.
-- The primary key of a payment is payment_id; a merchant's retry repeats it.
CREATE TABLE payments (
    event_id STRING,
    event_type STRING,
    payment_id STRING,
    order_id STRING,
    customer_id STRING,
    card_id STRING,
    merchant_id STRING,
    merchant_category STRING,
    amount_minor BIGINT,
    currency STRING,
    base_amount_minor BIGINT,
    base_currency STRING,
    country STRING,
    latitude DOUBLE,
    longitude DOUBLE,
    device_id STRING,
    channel STRING,
    status STRING,
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
    'topic' = 'payments',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${PAYMENTS_SCHEMA}'
) LIKE kafka_source
