-- Runs.
-- Names that sql/tables and sql/views have, too: the file's own are meant.
CREATE TABLE payments (id BIGINT, amount DOUBLE) WITH ('connector' = 'datagen', 'number-of-rows' = '20');
CREATE TABLE sums (id BIGINT, amount DOUBLE) WITH ('connector' = 'blackhole');
INSERT INTO sums
WITH noteworthy_payments AS (SELECT id, amount FROM payments WHERE amount > 100)
SELECT id, SUM(amount) OVER w
FROM (SELECT *, PROCTIME() AS seen FROM noteworthy_payments)
WINDOW w AS (PARTITION BY id ORDER BY seen ROWS BETWEEN 9 PRECEDING AND CURRENT ROW);
