-- One row per line of an order: part 1 and so on of it, with the product as of the order's event time, and again when
-- another version of the product turns out to have been valid then, or the product becomes known; as order_headers.sql.
CREATE TEMPORARY VIEW order_lines AS
SELECT
    order_id,
    order_event_id,
    CAST(part AS INT) AS part,
    parts,
    CASE WHEN product_lsn IS NULL THEN CONCAT('product:', product_id) END AS missing,
    found_later,
    placed_ms,
    line_number,
    product_id,
    name,
    category,
    list_price_minor,
    list_price_currency,
    product_lsn,
    quantity,
    unit_price_minor,
    quantity * unit_price_minor AS line_total_minor
FROM join_versions(
    input => TABLE placed_lines PARTITION BY product_id,
    versions => TABLE product_changes PARTITION BY product_id,
    moment => 'placed_ms',
    version => 'product_lsn',
    valid_from => 'valid_from_ms',
    deleted => 'deleted',
    hours => ${MILLRACE_MISSING_DATA_HOURS},
    uid => 'order-products'
)
