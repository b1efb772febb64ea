-- One row per order and revision, of which the last stays; written at least once, time as text with zone.
CREATE TABLE warehouse_fact_order (
    order_id STRING,
    revision BIGINT,
    event_id STRING,
    event_time STRING,
    complete BOOLEAN,
    customer_id STRING,
    customer_lsn BIGINT,
    currency STRING,
    total_minor BIGINT,
    lines_total_minor BIGINT,
    totals_agree BOOLEAN,
    shipping_country STRING
) WITH (
    'table-name' = 'warehouse.fact_order'
) LIKE warehouse_common
