-- The orders that aren't paid 15 minutes after they were placed.
-- One row per: order with no authorized payment by then, whatever was declined before. A payment that was made in time
-- but is seen after the watermark has passed the deadline doesn't take back what was said.
-- Keyed by: order_id.
-- Late: an order or a payment that is seen more than an hour after its time, as the watermark goes: what belongs to it
-- is forgotten by then. Nothing is said of it and it becomes a dead letter.

-- A copy of an order counts once. One that comes within the hour comes before two hours have passed.
SET 'table.exec.state.ttl' = '2 h';

-- One row per order and per payment, whether it is judged or not.
CREATE TEMPORARY VIEW orders_and_payments AS
SELECT
    'order' AS kind,
    order_id,
    customer_id,
    currency,
    total_minor,
    error,
    record_key,
    payload,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM orders
UNION ALL
SELECT
    CASE WHEN order_id IS NOT NULL AND status = 'authorized' THEN 'paid' ELSE 'other' END,
    order_id,
    customer_id,
    currency,
    amount_minor,
    error,
    record_key,
    payload,
    event_time,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM payments;

-- The same; `error` says why nothing is said of a record. Late is decided once and by the watermark of both topics
-- together, as the join has it, and before copies are dropped: each record is judged, or a copy of one that is, or a dead
-- letter.
CREATE TEMPORARY VIEW judged_records AS
SELECT
    kind,
    order_id,
    customer_id,
    currency,
    total_minor,
    CASE
        WHEN error IS NULL AND kind <> 'other' AND event_time + INTERVAL '1' HOUR < last_watermark
            THEN 'late: more than an hour'
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
    input => TABLE orders_and_payments,
    on_time => DESCRIPTOR(event_time),
    uid => 'orders-and-payments-with-watermark'
);

-- One row per order, as it is first seen.
CREATE TEMPORARY VIEW placed_orders AS
SELECT
    order_id,
    customer_id,
    currency,
    total_minor,
    rowtime
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY PROCTIME()) AS nth
    FROM judged_records
    WHERE error IS NULL AND kind = 'order'
)
WHERE nth = 1;

-- One row per payment that pays for an order.
CREATE TEMPORARY VIEW payments_in_time AS
SELECT
    order_id,
    rowtime
FROM judged_records
WHERE error IS NULL AND kind = 'paid';

-- One row per order and payment, and one per order that none came for, when the watermark passes its deadline. Payments
-- are kept for an hour, so that an order which is seen after its payment finds it.
CREATE TEMPORARY VIEW paid_or_not AS
SELECT
    placed.order_id,
    placed.customer_id,
    placed.currency,
    placed.total_minor,
    placed.rowtime AS placed_at,
    paid.order_id AS paid_order_id
FROM placed_orders AS placed
LEFT JOIN payments_in_time AS paid
    ON paid.order_id = placed.order_id
    AND paid.rowtime BETWEEN placed.rowtime - INTERVAL '1' HOUR AND placed.rowtime + INTERVAL '15' MINUTE;

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
FROM dead_letters_of_judged_records;
END;
