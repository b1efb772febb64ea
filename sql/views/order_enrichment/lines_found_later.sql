-- One row per line whose product became known within ${MILLRACE_MISSING_DATA_HOURS} hours: the line's part again, now
-- with the product; as headers_found_later.sql.
CREATE TEMPORARY VIEW lines_found_later AS
SELECT
    order_lines.order_id,
    order_lines.order_event_id,
    order_lines.part,
    order_lines.parts,
    order_lines.line_number,
    order_lines.product_id,
    COALESCE(order_lines.name, product_revelations.name) AS name,
    COALESCE(order_lines.category, product_revelations.category) AS category,
    COALESCE(order_lines.list_price_minor, product_revelations.price_minor) AS list_price_minor,
    COALESCE(order_lines.list_price_currency, product_revelations.currency) AS list_price_currency,
    COALESCE(order_lines.product_lsn, product_revelations.lsn) AS product_lsn,
    order_lines.quantity,
    order_lines.unit_price_minor,
    order_lines.line_total_minor
FROM order_lines
JOIN product_revelations
    ON order_lines.product_id = product_revelations.product_id
    AND product_revelations.known_from
        BETWEEN order_lines.event_time - INTERVAL '${MILLRACE_MISSING_DATA_HOURS}' HOUR(3)
        AND order_lines.event_time + INTERVAL '${MILLRACE_MISSING_DATA_HOURS}' HOUR(3)
    AND order_lines.placed_ms >= product_revelations.from_ms
    AND order_lines.placed_ms < product_revelations.until_ms
WHERE order_lines.missing IS NOT NULL
