-- One row per record of `revenue_per_minute`; a time that PostgreSQL can't hold is an error.
CREATE TEMPORARY VIEW revenue_minutes AS
SELECT
    event_id,
    window_start,
    window_end,
    category,
    currency,
    revision,
    orders,
    pieces,
    revenue_minor,
    payload,
    record_key,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    CASE
        WHEN error IS NOT NULL THEN error
        WHEN GREATEST(window_start, window_end) >= ${END_OF_TIME_MS} THEN 'window: in the year 9999 or later'
    END AS error
FROM revenue_per_minute
