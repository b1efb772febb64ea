-- One row per version of a product, each once, by lsn; `previous` is the version before it.
CREATE TEMPORARY VIEW product_versions AS
WITH product_changes AS (
    SELECT
        product_id,
        name,
        category,
        price_minor,
        currency,
        lsn,
        deleted,
        EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS valid_from_ms,
        event_time
    FROM db_changes_products
    WHERE error IS NULL
)
SELECT
    product_id,
    name,
    category,
    price_minor,
    currency,
    lsn,
    deleted,
    valid_from_ms,
    previous,
    rowtime AS valid_from
FROM row_versions(
    input => TABLE product_changes PARTITION BY product_id,
    on_time => DESCRIPTOR(event_time),
    version => 'lsn',
    uid => 'product-versions'
)
