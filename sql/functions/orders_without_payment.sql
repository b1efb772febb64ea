-- The orders that are not paid by their deadline: one row per such order, when the watermark passes the deadline.
CREATE TEMPORARY SYSTEM FUNCTION orders_without_payment AS 'millrace.payments.OrdersWithoutPayment' LANGUAGE JAVA
