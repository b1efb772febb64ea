-- One row per record of `fraud_alerts`, with the alert's features as JSON text.
CREATE TEMPORARY VIEW alerts_with_features AS
WITH read_alerts AS (
    SELECT
        *,
        CASE WHEN error IS NULL THEN JSON_QUERY(DECODE(payload, 'UTF-8'), 'lax $.features') END AS features
    FROM fraud_alerts
)
SELECT
    event_id,
    event_type,
    case_id,
    card_id,
    customer_id,
    payment_id,
    score,
    rules,
    ruleset_version,
    features,
    payments,
    payment_count,
    amount_minor,
    currency,
    payload,
    record_key,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    CASE
        WHEN error IS NOT NULL THEN error
        WHEN features IS NOT JSON OBJECT THEN 'features: not an object'
        -- jsonb takes no number of more than some 100,000 digits; digits within a text are none.
        WHEN REGEXP(REGEXP_REPLACE(features, '"([^"\\]|\\.)*"', ''), '[0-9]{1000}|[eE][+-]?[0-9]{4}') THEN
            'features: a number of too many digits'
    END AS error
FROM read_alerts
