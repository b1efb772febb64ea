-- The orders that aren't paid 15 minutes after they were placed.
-- One row per: order with no authorized payment by then, whatever was declined before. A payment that was made in time
-- but is seen after the watermark has passed the deadline takes no row back.
-- Keyed by: order_id.
-- Late: an order or a payment that is seen more than an hour after its time, as the watermark goes: what belongs to it
-- is forgotten by then. It isn't judged and becomes a dead letter. A duplicate within that time changes nothing.

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

-- The same; `error` says why a record isn't judged. Late is decided once and by the watermark of both topics together,
-- and before duplicates are dropped: each record is judged, or a duplicate of one that is, or a dead letter.
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

-- One row per order, and one per payment that pays for an order.
CREATE TEMPORARY VIEW orders_and_their_payments AS
SELECT
    order_id,
    kind = 'order' AS is_order,
    customer_id,
    currency,
    total_minor,
    rowtime
FROM judged_records
WHERE error IS NULL AND kind <> 'other';

-- One row per order that is not paid, when the watermark passes its deadline, which is its rowtime.
CREATE TEMPORARY VIEW unpaid AS
SELECT
    order_id,
    customer_id,
    currency,
    total_minor,
    placed_at,
    rowtime
FROM orders_without_payment(
    input => TABLE orders_and_their_payments PARTITION BY order_id,
    on_time => DESCRIPTOR(rowtime),
    pay_within_minutes => 15,
    open_hours => 1,
    uid => 'orders-without-payment'
);

EXECUTE STATEMENT SET
BEGIN
INSERT INTO unpaid_orders_out
SELECT
    CONCAT(order_id, '-unpaid'),
    placed_at + 15 * 60 * 1000,
    'unpaid_order',
    order_id,
    customer_id,
    placed_at,
    currency,
    total_minor,
    rowtime
FROM unpaid;

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
