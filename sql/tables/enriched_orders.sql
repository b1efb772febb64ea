-- One row per record of the topic `enriched-orders`, keyed by order_id: an order in one of its revisions, of which the
-- greatest counts; a record that is no such order has only `error` and `payload`. Event time is the record's timestamp,
-- which is the order's in every revision.
CREATE TABLE enriched_orders (
    event_id STRING,
    event_type STRING,
    revision BIGINT,
    complete BOOLEAN,
    missing ARRAY<STRING NOT NULL>,
    order_id STRING,
    customer_id STRING,
    customer_name STRING,
    customer_tier STRING,
    customer_country STRING,
    customer_lsn BIGINT,
    currency STRING,
    total_minor BIGINT,
    lines_total_minor BIGINT,
    totals_agree BOOLEAN,
    shipping_country STRING,
    lines ARRAY<ROW<
        line_number BIGINT NOT NULL,
        product_id STRING NOT NULL,
        name STRING,
        category STRING,
        list_price_minor BIGINT,
        list_price_currency STRING,
        product_lsn BIGINT,
        quantity BIGINT NOT NULL,
        unit_price_minor BIGINT NOT NULL,
        line_total_minor BIGINT NOT NULL
    > NOT NULL>,
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
    'topic' = 'enriched-orders',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.error-column' = 'record_error',
    'value.guarded-json.schema' = '${ENRICHED_ORDERS_SCHEMA}'
) LIKE kafka_source
