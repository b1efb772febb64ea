-- One row per order and revision, written to the topic `enriched-orders` under its order_id, exactly once: readers that
-- read committed see a row when the checkpoint after it is complete. The prefix is the deployment's own, so two of them
-- don't end each other's transactions; a restarted job ends those that it left open. What a crashed job has prepared is
-- kept for 15 minutes, the most that brokers allow by default: restart the job by then.
CREATE TABLE enriched_orders_out (
    event_id STRING,
    event_time BIGINT,
    event_type STRING,
    revision BIGINT,
    complete BOOLEAN,
    missing ARRAY<STRING>,
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
        line_number BIGINT,
        product_id STRING,
        name STRING,
        category STRING,
        list_price_minor BIGINT,
        list_price_currency STRING,
        product_lsn BIGINT,
        quantity BIGINT,
        unit_price_minor BIGINT,
        line_total_minor BIGINT
    >>,
    provisional BOOLEAN,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = 'enriched-orders',
    'properties.transaction.timeout.ms' = '900000',
    'key.format' = 'raw',
    'key.fields' = 'order_id',
    'value.format' = 'json',
    'sink.delivery-guarantee' = 'exactly-once',
    'sink.transactional-id-prefix' = '${CONSUMER_GROUP}'
) LIKE kafka_sink (OVERWRITING OPTIONS)
