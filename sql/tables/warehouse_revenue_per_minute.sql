-- One row per minute, category, currency and revision, of which the last stays; written at least once, times as text with zone.
CREATE TABLE warehouse_revenue_per_minute (
    category STRING,
    currency STRING,
    window_start STRING,
    window_end STRING,
    event_id STRING,
    event_time STRING,
    revision BIGINT,
    orders BIGINT,
    pieces BIGINT,
    revenue_minor BIGINT
) WITH (
    'table-name' = 'warehouse.revenue_per_minute'
) LIKE warehouse_common
