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
    'topic' = 'top-products',
    'key.format' = 'raw',
    'key.fields' = 'event_id',
    'value.format' = 'json'
) LIKE kafka_sink
