-- One row per customer, as it is at a moment: for FOR SYSTEM_TIME AS OF. Of two versions of one moment the later holds.
CREATE TEMPORARY VIEW customers AS
SELECT
    customer_id,
    name,
    tier,
    country,
    lsn,
    deleted,
    valid_from
FROM (
    SELECT
        customer_id,
        name,
        tier,
        country,
        lsn,
        deleted,
        valid_from,
        ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY valid_from DESC) AS age
    FROM customer_versions
)
WHERE age = 1
