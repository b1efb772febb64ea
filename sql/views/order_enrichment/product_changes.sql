-- One row per change of a product, in the order of arrival, and event time as in customer_changes.sql.
CREATE TEMPORARY VIEW product_changes AS
SELECT
    product_id,
    name,
    category,
    price_minor AS list_price_minor,
    currency AS list_price_currency,
    lsn AS product_lsn,
    deleted,
    EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS valid_from_ms
FROM db_changes_products
WHERE error IS NULL
UNION ALL
SELECT
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BOOLEAN),
    CAST(NULL AS BIGINT)
FROM db_changes_heartbeats
WHERE beats < 0
