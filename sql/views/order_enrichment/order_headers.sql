-- One row per order: part 0 of it, with the customer as of its event time, and again when another version of the customer
-- turns out to have been valid then, or the customer becomes known within ${MILLRACE_MISSING_DATA_HOURS} hours
-- (`found_later`).
CREATE TEMPORARY VIEW order_headers AS
SELECT
    order_id,
    order_event_id,
    parts,
    CASE WHEN customer_lsn IS NULL THEN CONCAT('customer:', customer_id) END AS missing,
    found_later,
    placed_ms,
    customer_id,
    customer_name,
    customer_tier,
    customer_country,
    customer_lsn,
    currency,
    total_minor,
    shipping_country
FROM join_versions(
    input => TABLE placed_headers PARTITION BY customer_id,
    versions => TABLE customer_changes PARTITION BY customer_id,
    moment => 'placed_ms',
    version => 'customer_lsn',
    valid_from => 'valid_from_ms',
    deleted => 'deleted',
    hours => ${MILLRACE_MISSING_DATA_HOURS},
    uid => 'order-customers'
)
