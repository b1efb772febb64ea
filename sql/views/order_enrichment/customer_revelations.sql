-- One row per version of a customer that lets something be known of the time before it, from the version before: that
-- it was as that version says, or, if there was none or it had gone, at least what it became.
CREATE TEMPORARY VIEW customer_revelations AS
SELECT
    customer_id,
    CASE WHEN previous.deleted IS FALSE THEN previous.name ELSE name END AS name,
    CASE WHEN previous.deleted IS FALSE THEN previous.tier ELSE tier END AS tier,
    CASE WHEN previous.deleted IS FALSE THEN previous.country ELSE country END AS country,
    CASE WHEN previous.deleted IS FALSE THEN previous.lsn ELSE lsn END AS lsn,
    COALESCE(previous.valid_from_ms, 0) AS from_ms,
    valid_from_ms AS until_ms,
    valid_from AS known_from
FROM customer_versions
WHERE previous.deleted IS FALSE OR NOT deleted
