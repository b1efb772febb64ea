-- One row per payment, with the card's features by Flink's own OVER windows; one window a query, since Flink has no two.
-- Rows come when the watermark has passed them: OVER windows go by the order of event time.
CREATE TEMPORARY VIEW payment_features AS
WITH minutes AS (
    SELECT
        *,
        COUNT(*) OVER w AS count_1m,
        SUM(base_amount_minor) OVER w AS sum_1m
    FROM payments
    WHERE error IS NULL
    WINDOW w AS (PARTITION BY card_id ORDER BY event_time RANGE BETWEEN INTERVAL '59.999' SECOND PRECEDING AND CURRENT ROW)
),
ten_minutes AS (
    SELECT
        *,
        COUNT(*) OVER w AS count_10m,
        SUM(base_amount_minor) OVER w AS sum_10m,
        SUM(CASE WHEN status = 'declined' THEN 1 ELSE 0 END) OVER w AS declined_10m,
        COUNT(DISTINCT merchant_id) OVER w AS merchants_10m,
        ARRAY_AGG(payment_id) OVER w AS payments_10m
    FROM minutes
    WINDOW w AS (PARTITION BY card_id ORDER BY event_time RANGE BETWEEN INTERVAL '09:59.999' MINUTE TO SECOND PRECEDING AND CURRENT ROW)
),
hours AS (
    SELECT
        *,
        COUNT(*) OVER w AS count_1h,
        SUM(base_amount_minor) OVER w AS sum_1h,
        COUNT(DISTINCT country) OVER w AS countries_1h,
        COUNT(DISTINCT device_id) OVER w AS devices_1h
    FROM ten_minutes
    WINDOW w AS (PARTITION BY card_id ORDER BY event_time RANGE BETWEEN INTERVAL '59:59.999' MINUTE TO SECOND PRECEDING AND CURRENT ROW)
),
days AS (
    SELECT
        *,
        COUNT(*) OVER w AS count_24h,
        SUM(base_amount_minor) OVER w AS sum_24h,
        MAX(base_amount_minor) OVER w AS max_24h
    FROM hours
    WINDOW w AS (PARTITION BY card_id ORDER BY event_time RANGE BETWEEN INTERVAL '23:59:59.999' HOUR TO SECOND PRECEDING AND CURRENT ROW)
),
previous AS (
    SELECT
        *,
        LAG(event_time) OVER w AS last_time,
        LAG(country) OVER w AS last_country,
        LAG(device_id) OVER w AS last_device,
        LAG(latitude) OVER w AS last_latitude,
        LAG(longitude) OVER w AS last_longitude
    FROM days
    WINDOW w AS (PARTITION BY card_id ORDER BY event_time)
),
of_the_day AS (
    SELECT
        *,
        last_time IS NOT NULL AND last_time >= event_time - INTERVAL '24' HOUR AS has_previous
    FROM previous
)
SELECT
    event_time,
    payment_id,
    customer_id,
    card_id,
    base_amount_minor,
    base_currency,
    merchant_id,
    merchant_category,
    country,
    device_id,
    channel,
    status,
    count_1m,
    count_10m,
    count_1h,
    count_24h,
    sum_1m,
    sum_10m,
    sum_1h,
    sum_24h,
    CAST(sum_24h AS DOUBLE) / count_24h AS avg_24h,
    max_24h,
    declined_10m,
    merchants_10m,
    countries_1h,
    devices_1h,
    CASE WHEN has_previous THEN last_country END AS previous_country,
    CASE WHEN has_previous THEN last_device END AS previous_device,
    CASE
        WHEN has_previous THEN EXTRACT(EPOCH FROM event_time) - EXTRACT(EPOCH FROM last_time)
            + (EXTRACT(MILLISECOND FROM event_time) - EXTRACT(MILLISECOND FROM last_time)) / 1E3
    END AS seconds_from_previous,
    CASE
        WHEN has_previous THEN 2 * 6371.0088 * ASIN(SQRT(
            POWER(SIN(RADIANS(latitude - last_latitude) / 2), 2)
            + COS(RADIANS(last_latitude)) * COS(RADIANS(latitude)) * POWER(SIN(RADIANS(longitude - last_longitude) / 2), 2)
        ))
    END AS km_from_previous,
    ARRAY_SLICE(payments_10m, -20) AS recent_payments
FROM of_the_day
