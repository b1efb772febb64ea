-- One row per step of a fraud case; written at least once, time as text with zone, lists and objects as JSON.
CREATE TABLE warehouse_fact_alert (
    event_id STRING,
    event_type STRING,
    event_time STRING,
    case_id STRING,
    card_id STRING,
    customer_id STRING,
    payment_id STRING,
    score BIGINT,
    rules STRING,
    ruleset_version BIGINT,
    features STRING,
    payments STRING,
    payment_count BIGINT,
    amount_minor BIGINT,
    currency STRING
) WITH (
    'table-name' = 'warehouse.fact_alert'
) LIKE warehouse_common
