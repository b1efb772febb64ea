-- Every payment that was decoded, once more.
CREATE TABLE payments_copy (
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
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'connector' = 'kafka',
    'topic' = '${COPY}',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'properties.transaction.timeout.ms' = '900000',
    'properties.linger.ms' = '5',
    'properties.compression.type' = 'lz4',
    'key.format' = 'raw',
    'key.fields' = 'card_id',
    'value.format' = 'json',
    'sink.delivery-guarantee' = '${GUARANTEE}',
    'sink.transactional-id-prefix' = '${CONSUMER_GROUP}'
)
