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
    error STRING,
    payload BYTES,
    record_key BYTES,
    event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
    source_topic STRING METADATA FROM 'topic' VIRTUAL,
    source_partition INT METADATA FROM 'partition' VIRTUAL,
    source_offset BIGINT METADATA FROM 'offset' VIRTUAL,
    source_headers MAP<STRING, BYTES> METADATA FROM 'headers',
    WATERMARK FOR event_time AS event_time - INTERVAL '${MILLRACE_WATERMARK_DELAY_SECONDS}' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = 'orders',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'properties.group.id' = '${CONSUMER_GROUP}',
    'properties.auto.offset.reset' = 'earliest',
    'properties.isolation.level' = 'read_committed',
    'properties.partition.discovery.interval.ms' = '60000',
    'scan.startup.mode' = '${MILLRACE_START_FROM}',
    'scan.watermark.idle-timeout' = '${MILLRACE_SOURCE_IDLE_SECONDS} s',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'guarded-json',
    'value.fields-include' = 'EXCEPT_KEY',
    'value.guarded-json.schema' = '${ORDERS_SCHEMA}'
)
