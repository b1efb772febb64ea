-- A view, because a sum of facts is right whatever became of them: a line that arrives late counts in its own minute,
-- one that is replayed counts once, and a product that becomes known moves its lines out of `unknown`. A stream that
-- adds up minutes can do none of that once a minute is over.
CREATE INDEX fact_order_line_minute ON warehouse.fact_order_line (
    date_bin('1 minute', event_time, TIMESTAMPTZ '2000-01-01 00:00:00+00')
);

CREATE VIEW warehouse.revenue_per_minute AS
SELECT
    date_bin('1 minute', event_time, TIMESTAMPTZ '2000-01-01 00:00:00+00') AS window_start,
    date_bin('1 minute', event_time, TIMESTAMPTZ '2000-01-01 00:00:00+00') + interval '1 minute' AS window_end,
    coalesce(category, 'unknown') AS category,
    currency,
    count(DISTINCT order_id) AS orders,
    sum(quantity) AS pieces,
    sum(line_total_minor) AS revenue_minor
FROM warehouse.fact_order_line
GROUP BY window_start, coalesce(category, 'unknown'), currency;

COMMENT ON VIEW warehouse.revenue_per_minute IS
'One row per minute, category and currency in which something was ordered. Ask for a range of window_start: that reads
only the lines of those minutes.';
COMMENT ON COLUMN warehouse.revenue_per_minute.window_start IS 'The minute''s first moment, by the order''s event time.';
COMMENT ON COLUMN warehouse.revenue_per_minute.window_end IS 'The first moment that isn''t in it.';
COMMENT ON COLUMN warehouse.revenue_per_minute.category IS
'Of the products; unknown for lines whose product isn''t known.';
COMMENT ON COLUMN warehouse.revenue_per_minute.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.revenue_per_minute.orders IS 'Different orders with such a line.';
COMMENT ON COLUMN warehouse.revenue_per_minute.pieces IS 'Sum of the quantities.';
COMMENT ON COLUMN warehouse.revenue_per_minute.revenue_minor IS 'Sum of the lines'' totals, in minor units of currency.';
