-- One row per line of an order: part 1 and so on of it, with the product as of the order's event time. `missing` is NULL
-- if the product is known.
CREATE TEMPORARY VIEW order_lines AS
SELECT
    placed_lines.order_id,
    placed_lines.order_event_id,
    placed_lines.part,
    placed_lines.parts,
    CASE WHEN products.deleted IS NOT FALSE THEN CONCAT('product:', placed_lines.product_id) END AS missing,
    placed_lines.placed_ms,
    placed_lines.line_number,
    placed_lines.product_id,
    CASE WHEN products.deleted IS FALSE THEN products.name END AS name,
    CASE WHEN products.deleted IS FALSE THEN products.category END AS category,
    CASE WHEN products.deleted IS FALSE THEN products.price_minor END AS list_price_minor,
    CASE WHEN products.deleted IS FALSE THEN products.currency END AS list_price_currency,
    CASE WHEN products.deleted IS FALSE THEN products.lsn END AS product_lsn,
    placed_lines.quantity,
    placed_lines.unit_price_minor,
    placed_lines.quantity * placed_lines.unit_price_minor AS line_total_minor,
    placed_lines.event_time
FROM placed_lines
LEFT JOIN products FOR SYSTEM_TIME AS OF placed_lines.event_time
    ON placed_lines.product_id = products.product_id
