-- One row per record of the topic `orders`, keyed by order_id; a record that is no order has only `error` and
-- `payload`. Event time is the record's timestamp, as in payments.sql. The same order may come more than once.
CREATE TABLE orders (
    event_id STRING,
    event_type STRING,
    order_id STRING,
    customer_id STRING,
    currency STRING,
    lines ARRAY<ROW<
        line_number BIGINT NOT NULL,
        product_id STRING NOT NULL,
        quantity BIGINT NOT NULL,
        unit_price_minor BIGINT NOT NULL
    > NOT NULL>,
    total_minor BIGINT,
    shipping_country STRING,
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
    'topic' = 'orders',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${ORDERS_SCHEMA}'
) LIKE kafka_source
