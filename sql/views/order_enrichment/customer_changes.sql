-- One row per change of a customer, in the order of arrival. The heartbeats of change data capture add no row, only event
-- time: they come the same way as changes, so event time goes as far as capture has come, also while no customer changes.
CREATE TEMPORARY VIEW customer_changes AS
SELECT
    customer_id,
    name AS customer_name,
    tier AS customer_tier,
    country AS customer_country,
    lsn AS customer_lsn,
    deleted,
    EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS valid_from_ms
FROM db_changes_customers
WHERE error IS NULL
UNION ALL
SELECT
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BOOLEAN),
    CAST(NULL AS BIGINT)
FROM db_changes_heartbeats
WHERE beats < 0
