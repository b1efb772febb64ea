-- One row per step of a fraud case, as warehouse.fact_alert takes it.
CREATE TEMPORARY VIEW fact_alert_rows AS
SELECT
    event_id,
    event_type,
    CAST(event_time AS STRING) || '+00' AS event_time,
    case_id,
    card_id,
    customer_id,
    payment_id,
    score,
    JSON_STRING(rules) AS rules,
    ruleset_version,
    features,
    JSON_STRING(payments) AS payments,
    payment_count,
    amount_minor,
    currency
FROM checked_alerts_with_features
WHERE fault IS NULL
