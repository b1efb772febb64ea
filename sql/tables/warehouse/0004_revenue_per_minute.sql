-- What the revenue pipeline says of each minute, as it says it. Lines that came too late for their minute are not in it;
-- a sum over fact_order_line has them.
CREATE TABLE warehouse.revenue_per_minute (
    category text NOT NULL,
    currency text NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    event_id text NOT NULL,
    event_time timestamptz NOT NULL,
    orders bigint NOT NULL,
    pieces bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    PRIMARY KEY (window_start, category, currency)
);

-- A minute that is computed anew may come out smaller, since more of it may be late then, but never truer: of two
-- figures the one of more orders stays.
CALL warehouse.keep_newest(
    'warehouse.revenue_per_minute',
    key => '{window_start, category, currency}',
    version => '{orders, pieces, revenue_minor}'
);

COMMENT ON TABLE warehouse.revenue_per_minute IS
'One row per minute, category and currency in which a complete order had such a line.';
COMMENT ON COLUMN warehouse.revenue_per_minute.category IS 'Of the products, when they were ordered.';
COMMENT ON COLUMN warehouse.revenue_per_minute.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN warehouse.revenue_per_minute.window_start IS 'The minute''s first moment, by the order''s event time.';
COMMENT ON COLUMN warehouse.revenue_per_minute.window_end IS 'The first moment that isn''t in it.';
COMMENT ON COLUMN warehouse.revenue_per_minute.event_id IS 'The event that the row was written from.';
COMMENT ON COLUMN warehouse.revenue_per_minute.event_time IS 'The minute''s last millisecond.';
COMMENT ON COLUMN warehouse.revenue_per_minute.orders IS 'Different orders with such a line.';
COMMENT ON COLUMN warehouse.revenue_per_minute.pieces IS 'Sum of the quantities.';
COMMENT ON COLUMN warehouse.revenue_per_minute.revenue_minor IS 'Sum of the lines'' totals, in minor units of currency.';
