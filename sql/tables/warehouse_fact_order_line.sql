-- One row per line of an order and revision, of which the last stays; written at least once, time as text with zone.
CREATE TABLE warehouse_fact_order_line (
    order_id STRING,
    line_number BIGINT,
    revision BIGINT,
    event_time STRING,
    product_id STRING,
    product_lsn BIGINT,
    name STRING,
    category STRING,
    list_price_minor BIGINT,
    list_price_currency STRING,
    quantity BIGINT,
    currency STRING,
    unit_price_minor BIGINT,
    line_total_minor BIGINT
) WITH (
    'table-name' = 'warehouse.fact_order_line'
) LIKE warehouse_common
