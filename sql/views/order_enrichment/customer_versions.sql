-- One row per version of a customer, each once, by lsn; `previous` is the version before it.
CREATE TEMPORARY VIEW customer_versions AS
WITH customer_changes AS (
    SELECT
        customer_id,
        name,
        tier,
        country,
        lsn,
        deleted,
        EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS valid_from_ms,
        event_time
    FROM db_changes_customers
    WHERE error IS NULL
)
SELECT
    customer_id,
    name,
    tier,
    country,
    lsn,
    deleted,
    valid_from_ms,
    previous,
    rowtime AS valid_from
FROM row_versions(
    input => TABLE customer_changes PARTITION BY customer_id,
    on_time => DESCRIPTOR(event_time),
    version => 'lsn',
    uid => 'customer-versions'
)
