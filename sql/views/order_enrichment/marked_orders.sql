-- One row per order and revision, as the table enriched_orders_out takes it; `provisional` if capture hadn't come as far
-- as the order's event time when the row went out, by the last heartbeat that had come until then. Every heartbeat is
-- there for each of 32 lanes of orders, so that none of the parallel instances is without.
CREATE TEMPORARY VIEW marked_orders AS
WITH heartbeats AS (
    SELECT
        EXTRACT(EPOCH FROM event_time) * 1000 + EXTRACT(MILLISECOND FROM event_time) AS captured_until_ms,
        -- A column, since a literal would be a table of its own to the plan, and a join that keeps all heartbeats.
        ARRAY[
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
            16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ] AS numbers
    FROM db_changes_heartbeats
    WHERE error IS NULL
),

orders_and_heartbeats AS (
    SELECT
        CAST(MOD(ABS(event_time), 32) AS INT) AS lane,
        CAST(NULL AS BIGINT) AS captured_until_ms,
        event_id,
        event_time,
        revision,
        complete,
        missing,
        order_id,
        customer_id,
        customer_name,
        customer_tier,
        customer_country,
        customer_lsn,
        currency,
        total_minor,
        lines_total_minor,
        totals_agree,
        shipping_country,
        lines,
        PROCTIME() AS arrival
    FROM gathered_orders
    UNION ALL
    SELECT
        lanes.lane,
        heartbeats.captured_until_ms,
        CAST(NULL AS STRING),
        CAST(NULL AS BIGINT),
        CAST(NULL AS BIGINT),
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS ARRAY<STRING NOT NULL>),
        CAST(NULL AS STRING),
        CAST(NULL AS STRING),
        CAST(NULL AS STRING),
        CAST(NULL AS STRING),
        CAST(NULL AS STRING),
        CAST(NULL AS BIGINT),
        CAST(NULL AS STRING),
        CAST(NULL AS BIGINT),
        CAST(NULL AS BIGINT),
        CAST(NULL AS BOOLEAN),
        CAST(NULL AS STRING),
        CAST(NULL AS ARRAY<ROW<
            line_number BIGINT,
            product_id STRING,
            name STRING,
            category STRING,
            list_price_minor BIGINT,
            list_price_currency STRING,
            product_lsn BIGINT,
            quantity BIGINT,
            unit_price_minor BIGINT,
            line_total_minor BIGINT
        >>),
        PROCTIME()
    FROM heartbeats
    CROSS JOIN UNNEST(heartbeats.numbers) AS lanes (lane)
),

known_progress AS (
    SELECT
        event_id,
        event_time,
        revision,
        complete,
        missing,
        order_id,
        customer_id,
        customer_name,
        customer_tier,
        customer_country,
        customer_lsn,
        currency,
        total_minor,
        lines_total_minor,
        totals_agree,
        shipping_country,
        lines,
        MAX(captured_until_ms) OVER (PARTITION BY lane ORDER BY arrival) AS captured_until_ms
    FROM orders_and_heartbeats
)

SELECT
    event_id,
    event_time,
    'enriched_order' AS event_type,
    revision,
    complete,
    missing,
    order_id,
    customer_id,
    customer_name,
    customer_tier,
    customer_country,
    customer_lsn,
    currency,
    total_minor,
    lines_total_minor,
    totals_agree,
    shipping_country,
    lines,
    captured_until_ms IS NULL OR captured_until_ms < event_time AS provisional,
    TO_TIMESTAMP_LTZ(event_time, 3) AS record_time
FROM known_progress
WHERE event_id IS NOT NULL
