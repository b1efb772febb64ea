-- One row per part of an order, those that were found later besides: what gather_parts puts together.
CREATE TEMPORARY VIEW order_parts AS
SELECT
    order_id,
    order_event_id,
    0 AS part,
    parts,
    missing,
    FALSE AS found_later,
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
    placed_ms,
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
    CAST(part AS INT),
    parts,
    missing,
    FALSE,
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
    placed_ms,
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING)
FROM order_lines
UNION ALL
SELECT
    order_id,
    order_event_id,
    0,
    parts,
    CAST(NULL AS STRING),
    TRUE,
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
    >),
    CAST(NULL AS BIGINT),
    placed_ms,
    customer_id,
    customer_name,
    customer_tier,
    customer_country,
    customer_lsn,
    currency,
    total_minor,
    shipping_country
FROM headers_found_later
UNION ALL
SELECT
    order_id,
    order_event_id,
    CAST(part AS INT),
    parts,
    CAST(NULL AS STRING),
    TRUE,
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
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING)
FROM lines_found_later
