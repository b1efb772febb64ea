-- One row per payment that isn't just counted, in arrival order: records that don't decode (rejected), payments older
-- than the features reach back (late), payments that broke a rule (judged; `note` is the verdict). A payment that was
-- seen before is counted once and judged once.
CREATE TEMPORARY VIEW noteworthy_payments AS
WITH judged_payments AS (
    SELECT
        *,
        judge_payment(
            EXTRACT(EPOCH FROM rowtime) * 1000 + EXTRACT(MILLISECOND FROM rowtime),
            ${FACTS}
        ) AS verdict
    FROM payment_features
    -- In the JVM, since handing a payment to Python costs more than all else.
    WHERE NOT is_duplicate AND (is_late OR may_break_rules('${FILTER}', rowtime, ${FILTER_FACTS}))
)
SELECT
    'rejected' AS kind,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    record_key,
    source_headers,
    payload,
    error AS note
FROM payments
WHERE error IS NOT NULL
UNION ALL
SELECT
    CASE WHEN is_late THEN 'late' ELSE 'judged' END,
    rowtime,
    source_topic,
    source_partition,
    source_offset,
    record_key,
    source_headers,
    ENCODE(
        JSON_OBJECT(
            'event_id' VALUE event_id,
            'event_time' VALUE EXTRACT(EPOCH FROM rowtime) * 1000 + EXTRACT(MILLISECOND FROM rowtime),
            'event_type' VALUE 'payment',
            'payment_id' VALUE payment_id,
            'order_id' VALUE order_id,
            'customer_id' VALUE customer_id,
            'card_id' VALUE card_id,
            'merchant_id' VALUE merchant_id,
            'merchant_category' VALUE merchant_category,
            'amount_minor' VALUE amount_minor,
            'currency' VALUE currency,
            'base_amount_minor' VALUE base_amount_minor,
            'base_currency' VALUE base_currency,
            'country' VALUE country,
            'latitude' VALUE latitude,
            'longitude' VALUE longitude,
            'device_id' VALUE device_id,
            'channel' VALUE channel,
            'status' VALUE status
        ),
        'UTF-8'
    ),
    CASE WHEN is_late THEN 'late: older than the features of its card reach back' ELSE verdict END
FROM judged_payments
WHERE is_late OR verdict IS NOT NULL
