-- The orders that aren't paid 15 minutes after they were placed.
-- One row per: order with no authorized payment by then, whatever was declined before. A payment that was made in time
-- but is seen after the watermark has passed the deadline doesn't take back what was said.
-- Keyed by: order_id.
-- Late: an order or a payment that is seen more than an hour after its time, as the watermark goes: what belongs to it
-- is forgotten by then. Nothing is said of it and it becomes a dead letter.

-- A copy of an order counts once. One that comes within the hour comes before two hours have passed.
SET 'table.exec.state.ttl' = '2 h';

-- Late is decided where a record is read, before copies are dropped, so that both inserts decide alike: each record is
-- counted, or a copy of one that is, or a dead letter.
CREATE TEMPORARY VIEW judged_orders AS
SELECT
    *,
    event_time + INTERVAL '1' HOUR < CURRENT_WATERMARK(event_time) AS is_late
FROM orders
WHERE error IS NULL;

-- One row per order, as it is first seen.
CREATE TEMPORARY VIEW placed_orders AS
SELECT
    order_id,
    customer_id,
    currency,
    total_minor,
    event_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY PROCTIME()) AS nth
    FROM judged_orders
    WHERE is_late IS NOT TRUE
)
WHERE nth = 1;

-- One row per payment that pays for an order.
CREATE TEMPORARY VIEW judged_payments AS
SELECT
    *,
    event_time + INTERVAL '1' HOUR < CURRENT_WATERMARK(event_time) AS is_late
FROM payments
WHERE error IS NULL AND order_id IS NOT NULL AND status = 'authorized';

CREATE TEMPORARY VIEW payments_in_time AS
SELECT
    order_id,
    event_time
FROM judged_payments
WHERE is_late IS NOT TRUE;

-- One row per order and payment, and one per order that none came for, when the watermark passes its deadline. Payments
-- are kept for an hour, so that an order which is seen after its payment finds it.
CREATE TEMPORARY VIEW paid_or_not AS
SELECT
    placed.order_id,
    placed.customer_id,
    placed.currency,
    placed.total_minor,
    placed.event_time AS placed_at,
    paid.order_id AS paid_order_id
FROM placed_orders AS placed
LEFT JOIN payments_in_time AS paid
    ON paid.order_id = placed.order_id
    AND paid.event_time BETWEEN placed.event_time - INTERVAL '1' HOUR AND placed.event_time + INTERVAL '15' MINUTE;

-- One row per record that nothing is said of, and why.
CREATE TEMPORARY VIEW unjudged_records AS
SELECT
    record_key,
    payload,
    error,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM orders
WHERE error IS NOT NULL
UNION ALL
SELECT
    record_key,
    payload,
    error,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM payments
WHERE error IS NOT NULL
UNION ALL
SELECT
    record_key,
    payload,
    'late: more than an hour',
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM judged_orders
WHERE is_late
UNION ALL
SELECT
    record_key,
    payload,
    'late: more than an hour',
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM judged_payments
WHERE is_late;

EXECUTE STATEMENT SET
BEGIN
INSERT INTO unpaid_orders_out
SELECT
    CONCAT(order_id, '-unpaid'),
    EXTRACT(EPOCH FROM placed_at) * 1000 + EXTRACT(MILLISECOND FROM placed_at) + 15 * 60 * 1000,
    'unpaid_order',
    order_id,
    customer_id,
    EXTRACT(EPOCH FROM placed_at) * 1000 + EXTRACT(MILLISECOND FROM placed_at),
    currency,
    total_minor,
    placed_at + INTERVAL '15' MINUTE
FROM paid_or_not
WHERE paid_order_id IS NULL;

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
FROM dead_letters_of_unjudged_records;
END;
