-- One row per order: part 0 of it, with the customer as of its event time. `missing` is NULL if the customer is known.
CREATE TEMPORARY VIEW order_headers AS
SELECT
    placed_orders.order_id,
    placed_orders.event_id AS order_event_id,
    placed_orders.parts,
    CASE WHEN customers.deleted IS NOT FALSE THEN CONCAT('customer:', placed_orders.customer_id) END AS missing,
    placed_orders.placed_ms,
    placed_orders.customer_id,
    CASE WHEN customers.deleted IS FALSE THEN customers.name END AS customer_name,
    CASE WHEN customers.deleted IS FALSE THEN customers.tier END AS customer_tier,
    CASE WHEN customers.deleted IS FALSE THEN customers.country END AS customer_country,
    CASE WHEN customers.deleted IS FALSE THEN customers.lsn END AS customer_lsn,
    placed_orders.currency,
    placed_orders.total_minor,
    placed_orders.shipping_country,
    placed_orders.event_time
FROM placed_orders
LEFT JOIN customers FOR SYSTEM_TIME AS OF placed_orders.event_time
    ON placed_orders.customer_id = customers.customer_id
