-- One row per payment that decodes, with the card's features at that moment. Emitted at once: it doesn't wait for a
-- watermark. A payment out of order counts in the windows that contain it; one older than the state reaches is_late.
CREATE TEMPORARY VIEW payment_features AS
WITH accepted_payments AS (
    SELECT
        event_id,
        payment_id,
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
        status,
        record_key,
        event_time,
        source_topic,
        source_partition,
        source_offset,
        source_headers
    FROM payments
    WHERE error IS NULL
)
SELECT *
FROM sliding_features(
    input => TABLE accepted_payments PARTITION BY card_id,
    on_time => DESCRIPTOR(event_time),
    features => '${PAYMENT_FEATURES}',
    id => 'payment_id',
    uid => 'payment-features'
)
