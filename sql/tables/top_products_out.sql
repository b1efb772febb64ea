-- One row per hour and rank, written to the topic `top-products` under event_id, which is made of the two. Written at
-- least once.
CREATE TABLE top_products_out (
    event_id STRING,
    event_time BIGINT,
    event_type STRING,
    window_start BIGINT,
    window_end BIGINT,
    `rank` BIGINT,
    product_id STRING,
    pieces BIGINT,
    orders BIGINT,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'connector' = 'kafka',
    'topic' = 'top-products',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'properties.interceptor.classes' = 'millrace.kafka.BoundedRecords',
    'properties.millrace.record.bytes' = '${RECORD_BYTES}',
    'properties.millrace.future.ms' = '${FUTURE_MS}',
    'properties.millrace.letter.topics' = '${LETTER_TOPICS}',
    'properties.millrace.job' = '${JOB}',
    'properties.max.request.size' = '${REQUEST_BYTES}',
    'properties.linger.ms' = '5',
    'properties.compression.type' = 'lz4',
    'key.format' = 'raw',
    'key.fields' = 'event_id',
    'value.format' = 'json',
    'sink.delivery-guarantee' = 'at-least-once'
)
