-- One row per version of a product, as warehouse.dim_product takes it.
CREATE TEMPORARY VIEW dim_product_rows AS
SELECT
    product_id,
    lsn,
    CAST(event_time AS STRING) || '+00' AS event_time,
    deleted,
    name,
    category,
    price_minor,
    currency,
    stock
FROM checked_db_changes_products
WHERE fault IS NULL
