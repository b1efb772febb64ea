-- One row per line of an order; `part` is its place in the order, from 1.
CREATE TEMPORARY VIEW placed_lines AS
SELECT
    placed_orders.order_id,
    placed_orders.event_id AS order_event_id,
    placed_orders.parts,
    placed_orders.placed_ms,
    lines.line_number,
    lines.product_id,
    lines.quantity,
    lines.unit_price_minor,
    lines.part
FROM placed_orders
CROSS JOIN UNNEST(placed_orders.lines) WITH ORDINALITY
    AS lines (line_number, product_id, quantity, unit_price_minor, part)
