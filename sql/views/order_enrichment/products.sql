-- One row per product, as it is at a moment: for FOR SYSTEM_TIME AS OF. Of two versions of one moment the later holds.
CREATE TEMPORARY VIEW products AS
SELECT
    product_id,
    name,
    category,
    price_minor,
    currency,
    lsn,
    deleted,
    valid_from
FROM (
    SELECT
        product_id,
        name,
        category,
        price_minor,
        currency,
        lsn,
        deleted,
        valid_from,
        ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY valid_from DESC) AS age
    FROM product_versions
)
WHERE age = 1
