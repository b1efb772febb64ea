-- One row per record of ${TABLE}; `fault` says why it can't be loaded: it doesn't decode, or PostgreSQL would refuse what
-- it decodes to, and with it the whole batch, again and again.
CREATE TEMPORARY VIEW checked_${TABLE} AS
SELECT
    *,
    CASE
        WHEN error IS NOT NULL THEN error
        -- In JSON it stands as an escape. The regular expression leaves out what only looks like one, as in "\\u0000";
        -- it is slow, so it looks only where there is something to look at.
        WHEN POSITION('\u0000' IN DECODE(payload, 'UTF-8')) > 0
            AND REGEXP(DECODE(payload, 'UTF-8'), '(?<!\\)(\\\\)*\\u0000') THEN
            'the character U+0000, which PostgreSQL can''t hold'
    END AS fault
FROM ${TABLE}
