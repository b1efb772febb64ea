-- Minutes are corrected: of two figures the one of the greater revision stays. Those of before had none, and a minute that
-- is computed anew takes their place.
ALTER TABLE warehouse.revenue_per_minute ADD COLUMN revision bigint NOT NULL DEFAULT 0;

DROP TRIGGER keep_newest ON warehouse.revenue_per_minute;
DROP TRIGGER refuse_older ON warehouse.revenue_per_minute;
DROP FUNCTION warehouse.keep_newest_revenue_per_minute;

CALL warehouse.keep_newest(
    'warehouse.revenue_per_minute',
    key => '{window_start, category, currency}',
    version => '{revision}'
);

COMMENT ON COLUMN warehouse.revenue_per_minute.revision IS
'Grows with each order and correction that is in the figures; 0 in rows of before there were corrections.';
COMMENT ON COLUMN warehouse.revenue_per_minute.orders IS
'Different orders with such a line; 0 if corrections have left none.';
