-- One row per order that can be used, in the order of arrival; the same order may come more than once. The clock adds no
-- row, only event time.
CREATE TEMPORARY VIEW placed_orders AS
SELECT
    event_id,
    order_id,
    customer_id,
    currency,
    lines,
    CARDINALITY(lines) + 1 AS parts,
    total_minor,
    shipping_country,
    event_time,
    EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS placed_ms
FROM checked_orders
WHERE error IS NULL
UNION ALL
SELECT
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS ARRAY<ROW<
        line_number BIGINT NOT NULL,
        product_id STRING NOT NULL,
        quantity BIGINT NOT NULL,
        unit_price_minor BIGINT NOT NULL
    > NOT NULL>),
    CAST(NULL AS INT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    event_time,
    CAST(NULL AS BIGINT)
FROM clock
WHERE tick < 0
