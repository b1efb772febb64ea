-- One row per attempt of a payment, as warehouse.fact_payment takes it.
CREATE TEMPORARY VIEW fact_payment_rows AS
SELECT
    payment_id,
    event_id,
    CAST(event_time AS STRING) || '+00' AS event_time,
    order_id,
    customer_id,
    card_id,
    merchant_id,
    merchant_category,
    amount_minor,
    currency,
    base_amount_minor,
    base_currency,
    country,
    latitude,
    longitude,
    device_id,
    channel,
    status
FROM checked_payments
WHERE fault IS NULL
