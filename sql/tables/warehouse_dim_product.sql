-- One row per version of a product, of which the newest stays; written at least once, time as text with zone.
CREATE TABLE warehouse_dim_product (
    product_id STRING,
    lsn BIGINT,
    event_time STRING,
    deleted BOOLEAN,
    name STRING,
    category STRING,
    price_minor BIGINT,
    currency STRING,
    stock BIGINT
) WITH (
    'table-name' = 'warehouse.dim_product'
) LIKE warehouse_common
