-- One row per order and revision, as warehouse.fact_order takes it. The customer's name, tier and country are in
-- dim_customer, in the version that customer_lsn names.
CREATE TEMPORARY VIEW fact_order_rows AS
SELECT
    order_id,
    revision,
    event_id,
    CAST(event_time AS STRING) || '+00' AS event_time,
    complete,
    customer_id,
    customer_lsn,
    currency,
    total_minor,
    lines_total_minor,
    totals_agree,
    shipping_country
FROM checked_enriched_orders
WHERE fault IS NULL
