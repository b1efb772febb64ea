-- One row per line of an order and revision, as warehouse.fact_order_line takes it.
CREATE TEMPORARY VIEW fact_order_line_rows AS
SELECT
    enriched.order_id,
    line.line_number,
    enriched.revision,
    CAST(enriched.event_time AS STRING) || '+00' AS event_time,
    line.product_id,
    line.product_lsn,
    line.name,
    line.category,
    line.list_price_minor,
    line.list_price_currency,
    line.quantity,
    enriched.currency,
    line.unit_price_minor,
    line.line_total_minor
FROM checked_enriched_orders AS enriched
CROSS JOIN UNNEST(enriched.lines) AS line
WHERE enriched.fault IS NULL
