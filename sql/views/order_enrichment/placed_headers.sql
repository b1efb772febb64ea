-- One row per order, without its lines.
CREATE TEMPORARY VIEW placed_headers AS
SELECT
    order_id,
    event_id AS order_event_id,
    parts,
    placed_ms,
    customer_id,
    currency,
    total_minor,
    shipping_country
FROM placed_orders
