-- One row per minute, category and currency, and one per correction, written to the topic `revenue-per-minute` under the
-- category. Written at least once: event_id is made of the three, so that a duplicate is seen to be one.
CREATE TABLE revenue_per_minute_out (
    event_id STRING,
    event_time BIGINT,
    event_type STRING,
    window_start BIGINT,
    window_end BIGINT,
    category STRING,
    currency STRING,
    revision BIGINT,
    orders BIGINT,
    pieces BIGINT,
    revenue_minor BIGINT,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = 'revenue-per-minute',
    'key.format' = 'raw',
    'key.fields' = 'category',
    'value.format' = 'json'
) LIKE kafka_sink
