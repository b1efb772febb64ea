-- One row per minute, category and currency, as warehouse.revenue_per_minute takes it.
CREATE TEMPORARY VIEW revenue_per_minute_rows AS
SELECT
    category,
    currency,
    CAST(TO_TIMESTAMP_LTZ(window_start, 3) AS STRING) || '+00' AS window_start,
    CAST(TO_TIMESTAMP_LTZ(window_end, 3) AS STRING) || '+00' AS window_end,
    event_id,
    CAST(event_time AS STRING) || '+00' AS event_time,
    -- Rows of before there were corrections have none.
    COALESCE(revision, 0) AS revision,
    orders,
    pieces,
    revenue_minor
FROM checked_revenue_minutes
WHERE fault IS NULL
