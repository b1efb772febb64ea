-- One row per order and revision, with its lines inside. Revision 1 goes out when all parts are joined, the next one
-- whenever the order reads otherwise: what was missing has been found, or another version turns out to have been valid.
CREATE TEMPORARY VIEW gathered_orders AS
SELECT
    CONCAT(order_id, '-', CAST(revision AS STRING)) AS event_id,
    placed_ms AS event_time,
    CAST(revision AS BIGINT) AS revision,
    CARDINALITY(missing) = 0 AS complete,
    missing,
    order_id,
    customer_id,
    customer_name,
    customer_tier,
    customer_country,
    customer_lsn,
    currency,
    total_minor,
    lines_total_minor,
    total_minor = lines_total_minor AS totals_agree,
    shipping_country,
    lines
FROM gather_parts(
    input => TABLE order_parts PARTITION BY order_id,
    part => 'part',
    parts => 'parts',
    whole => 'order_event_id',
    missing => 'missing',
    later => 'found_later',
    collected => 'lines',
    summed => 'lines_total_minor',
    moment => 'placed_ms',
    open_hours => ${MILLRACE_MISSING_DATA_HOURS},
    ttl_hours => ${REMEMBERED_HOURS},
    uid => 'order-parts'
)
