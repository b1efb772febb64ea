-- One row per order that isn't paid in time, written to the topic `unpaid-orders` under the order. Written at least
-- once: event_id is made of the order, so that a duplicate is seen to be one.
CREATE TABLE unpaid_orders_out (
    event_id STRING,
    event_time BIGINT,
    event_type STRING,
    order_id STRING,
    customer_id STRING,
    placed_at BIGINT,
    currency STRING,
    total_minor BIGINT,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = 'unpaid-orders',
    'key.format' = 'raw',
    'key.fields' = 'order_id',
    'value.format' = 'json'
) LIKE kafka_sink
