-- One row per attempt of a payment, of which the last stays; written at least once, time as text with zone.
CREATE TABLE warehouse_fact_payment (
    payment_id STRING,
    event_id STRING,
    event_time STRING,
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
    status STRING
) WITH (
    'table-name' = 'warehouse.fact_payment'
) LIKE warehouse_common
