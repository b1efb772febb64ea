-- One row per part of an order, and again when it is corrected or found later: what gather_parts puts together.
CREATE TEMPORARY VIEW order_parts AS
SELECT
    order_id,
    order_event_id,
    0 AS part,
    parts,
    missing,
    found_later,
    placed_ms,
    CAST(NULL AS ROW<
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
    >) AS lines,
    CAST(NULL AS BIGINT) AS lines_total_minor,
    customer_id,
    customer_name,
    customer_tier,
    customer_country,
    customer_lsn,
    currency,
    total_minor,
    shipping_country
FROM order_headers
UNION ALL
SELECT
    order_id,
    order_event_id,
    part,
    parts,
    missing,
    found_later,
    placed_ms,
    CAST(ROW(
        line_number,
        product_id,
        name,
        category,
        list_price_minor,
        list_price_currency,
        product_lsn,
        quantity,
        unit_price_minor,
        line_total_minor
    ) AS ROW<
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
    >),
    line_total_minor,
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING)
FROM order_lines
