-- One row per version of a product that lets something be known of the time before it; as customer_revelations.sql.
CREATE TEMPORARY VIEW product_revelations AS
SELECT
    product_id,
    CASE WHEN previous.deleted IS FALSE THEN previous.name ELSE name END AS name,
    CASE WHEN previous.deleted IS FALSE THEN previous.category ELSE category END AS category,
    CASE WHEN previous.deleted IS FALSE THEN previous.price_minor ELSE price_minor END AS price_minor,
    CASE WHEN previous.deleted IS FALSE THEN previous.currency ELSE currency END AS currency,
    CASE WHEN previous.deleted IS FALSE THEN previous.lsn ELSE lsn END AS lsn,
    COALESCE(previous.valid_from_ms, 0) AS from_ms,
    valid_from_ms AS until_ms,
    valid_from AS known_from
FROM product_versions
WHERE previous.deleted IS FALSE OR NOT deleted
