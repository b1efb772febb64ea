-- What each category sells in each minute.
-- One row per: minute, category and currency with a complete order, when the minute closes; none for a minute without. One
-- more whenever an order of it turns out to read otherwise, or comes late. Of rows with one event_id the one with the
-- greatest revision holds.
-- Keyed by: category.
-- Late: an order that is seen an hour after its minute can't be corrected any more. It is in no row and becomes a dead
-- letter.

-- One row per record; `error` says why it is in no figure. A minute is kept for an hour longer than orders are corrected:
-- this pipeline's watermark may be ahead of the one that the correction was made by.
CREATE TEMPORARY VIEW judged_orders AS
SELECT
    order_id,
    revision,
    complete,
    currency,
    lines,
    CASE
        WHEN
            error IS NULL
            AND FLOOR(event_time TO MINUTE) + INTERVAL '59.999' SECOND
            <= TIMESTAMPADD(HOUR, -(${MILLRACE_MISSING_DATA_HOURS} + 1), last_watermark)
            THEN 'late: its minute was closed more than ${MILLRACE_MISSING_DATA_HOURS} hours before'
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

-- One row per revision of an order.
CREATE TEMPORARY VIEW orders_of_minutes AS
SELECT
    EXTRACT(EPOCH FROM FLOOR(event_time TO MINUTE)) * 1000 AS window_start,
    (EXTRACT(EPOCH FROM FLOOR(event_time TO MINUTE)) + 60) * 1000 AS window_end,
    currency,
    order_id,
    revision,
    complete,
    lines,
    rowtime
FROM judged_orders
WHERE error IS NULL;

-- One row per minute, category and currency, and one per correction.
CREATE TEMPORARY VIEW category_revenue AS
SELECT
    window_start,
    window_start + 60000 AS window_end,
    category,
    currency,
    revision,
    orders,
    pieces,
    revenue_minor
FROM category_sales(
    input => TABLE orders_of_minutes PARTITION BY window_start,
    on_time => DESCRIPTOR(rowtime),
    open_hours => ${MILLRACE_MISSING_DATA_HOURS} + 1,
    uid => 'category-sales'
);

EXECUTE STATEMENT SET
BEGIN
INSERT INTO revenue_per_minute_out
SELECT
    CONCAT_WS(
        '-',
        category,
        currency,
        DATE_FORMAT(TO_TIMESTAMP_LTZ(window_start, 3), 'yyyy-MM-dd''T''HH:mm''Z''')
    ),
    window_end - 1,
    'category_revenue',
    window_start,
    window_end,
    category,
    currency,
    revision,
    orders,
    pieces,
    revenue_minor,
    TO_TIMESTAMP_LTZ(window_end - 1, 3)
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
