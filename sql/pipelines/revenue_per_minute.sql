-- What each category sells in each minute.
-- One row per: minute, category and currency with a complete order; none for a minute without.
-- Keyed by: category.
-- Late: an order that is seen after the watermark has closed its minute, as every second revision is. It is in no row
-- and becomes a dead letter.

-- A copy of an order counts once. One that is in time comes before two hours have passed.
SET 'table.exec.state.ttl' = '2 h';

-- One row per record; `error` says why it is in no figure. Late is decided once, before copies are dropped, so that both
-- inserts decide alike: each record is counted, or a copy of one that is, or a dead letter.
CREATE TEMPORARY VIEW judged_orders AS
SELECT
    order_id,
    complete,
    currency,
    lines,
    CASE
        WHEN error IS NULL AND complete AND FLOOR(event_time TO MINUTE) + INTERVAL '59.999' SECOND <= last_watermark
            THEN 'late: its minute was closed'
        ELSE error
    END AS error,
    record_key,
    payload,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers,
    rowtime
FROM with_watermark(
    input => TABLE enriched_orders,
    on_time => DESCRIPTOR(event_time),
    uid => 'enriched-orders-with-watermark'
);

-- One row per order, as it is first seen complete.
CREATE TEMPORARY VIEW orders_in_time AS
SELECT
    order_id,
    currency,
    lines,
    rowtime
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY PROCTIME()) AS nth
    FROM judged_orders
    WHERE error IS NULL AND complete
)
WHERE nth = 1;

CREATE TEMPORARY VIEW sold_lines AS
SELECT
    order_id,
    currency,
    category,
    quantity,
    line_total_minor,
    rowtime
FROM orders_in_time
CROSS JOIN UNNEST(lines) AS line (
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
);

-- One row per minute, category and currency.
CREATE TEMPORARY VIEW category_revenue AS
SELECT
    window_start,
    window_end,
    window_time,
    category,
    currency,
    COUNT(DISTINCT order_id) AS orders,
    SUM(quantity) AS pieces,
    SUM(line_total_minor) AS revenue_minor
FROM TABLE(TUMBLE(TABLE sold_lines, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY
    window_start,
    window_end,
    window_time,
    category,
    currency;

EXECUTE STATEMENT SET
BEGIN
INSERT INTO revenue_per_minute_out
SELECT
    CONCAT_WS('-', category, currency, DATE_FORMAT(window_start, 'yyyy-MM-dd''T''HH:mm''Z''')),
    EXTRACT(EPOCH FROM window_end) * 1000 - 1,
    'category_revenue',
    EXTRACT(EPOCH FROM window_start) * 1000,
    EXTRACT(EPOCH FROM window_end) * 1000,
    category,
    currency,
    orders,
    pieces,
    revenue_minor,
    window_time
FROM category_revenue;

INSERT INTO dead_letters_out
SELECT
    event_id,
    event_type,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_key,
    source_headers,
    payload,
    reason,
    rejected_by,
    record_time
FROM dead_letters_of_judged_orders;
END;
