-- The ten products that sell most pieces in each hour.
-- One row per: hour and rank, from 1 to 10 or as many products as were sold; of two that sold as much, the one whose id
-- comes first is before the other.
-- Keyed by: event_id, which is made of the two.
-- Late: an order that is seen after the watermark has closed its hour. It is in no row and becomes a dead letter.
-- Revisions: what an order has of which product is the same in all, whether it is complete or not; the first one counts.

-- One row per record; `error` says why it is in no figure. Late is decided once, before duplicates are dropped, so that
-- both inserts decide alike: each record is counted, or a duplicate of one that is, or a dead letter.
CREATE TEMPORARY VIEW judged_orders AS
SELECT
    order_id,
    revision,
    lines,
    CASE
        WHEN
            error IS NULL
            AND revision = 1
            AND FLOOR(event_time TO HOUR) + INTERVAL '59:59.999' MINUTE TO SECOND <= last_watermark
            THEN 'late: its hour was closed'
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

CREATE TEMPORARY VIEW first_revisions AS
SELECT
    order_id,
    lines,
    rowtime
FROM judged_orders
WHERE error IS NULL AND revision = 1;

-- One row per order: a duplicate has the same time, so it is of the same hour, and is known until its hour is closed.
CREATE TEMPORARY VIEW orders_in_time AS
SELECT
    order_id,
    lines,
    window_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY window_start, window_end, order_id ORDER BY rowtime) AS nth
    FROM TABLE(TUMBLE(TABLE first_revisions, DESCRIPTOR(rowtime), INTERVAL '1' HOUR))
)
WHERE nth = 1;

CREATE TEMPORARY VIEW sold_lines AS
SELECT
    order_id,
    product_id,
    quantity,
    window_time AS rowtime
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

-- One row per hour and product.
CREATE TEMPORARY VIEW product_sales AS
SELECT
    window_start,
    window_end,
    window_time,
    product_id,
    SUM(quantity) AS pieces,
    COUNT(DISTINCT order_id) AS orders
FROM TABLE(TUMBLE(TABLE sold_lines, DESCRIPTOR(rowtime), INTERVAL '1' HOUR))
GROUP BY
    window_start,
    window_end,
    window_time,
    product_id;

-- One row per hour and rank.
CREATE TEMPORARY VIEW best_sellers AS
SELECT
    window_start,
    window_end,
    window_time,
    place,
    product_id,
    pieces,
    orders
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY pieces DESC, product_id) AS place
    FROM product_sales
)
WHERE place <= 10;

EXECUTE STATEMENT SET
BEGIN
INSERT INTO top_products_out
SELECT
    CONCAT_WS('-', DATE_FORMAT(window_start, 'yyyy-MM-dd''T''HH:mm''Z'''), CAST(place AS STRING)),
    EXTRACT(EPOCH FROM window_end) * 1000 - 1,
    'top_product',
    EXTRACT(EPOCH FROM window_start) * 1000,
    EXTRACT(EPOCH FROM window_end) * 1000,
    place,
    product_id,
    pieces,
    orders,
    window_time
FROM best_sellers;

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
