-- One row per order whose customer became known within ${MILLRACE_MISSING_DATA_HOURS} hours: part 0 of it again, now with
-- the customer. It may have been known all the time, but not to the join any more, if the order came late: so versions
-- are kept for as long. The columns that are empty are asked for so that the plan shares one temporal join: one that isn't
-- asked for them would be a second one, with a state of its own.
CREATE TEMPORARY VIEW headers_found_later AS
SELECT
    order_headers.order_id,
    order_headers.order_event_id,
    order_headers.parts,
    order_headers.placed_ms,
    order_headers.customer_id,
    COALESCE(order_headers.customer_name, customer_revelations.name) AS customer_name,
    COALESCE(order_headers.customer_tier, customer_revelations.tier) AS customer_tier,
    COALESCE(order_headers.customer_country, customer_revelations.country) AS customer_country,
    COALESCE(order_headers.customer_lsn, customer_revelations.lsn) AS customer_lsn,
    order_headers.currency,
    order_headers.total_minor,
    order_headers.shipping_country
FROM order_headers
JOIN customer_revelations
    ON order_headers.customer_id = customer_revelations.customer_id
    AND customer_revelations.known_from
        BETWEEN order_headers.event_time - INTERVAL '${MILLRACE_MISSING_DATA_HOURS}' HOUR(3)
        AND order_headers.event_time + INTERVAL '${MILLRACE_MISSING_DATA_HOURS}' HOUR(3)
    AND order_headers.placed_ms >= customer_revelations.from_ms
    AND order_headers.placed_ms < customer_revelations.until_ms
WHERE order_headers.missing IS NOT NULL
