-- One row per record of the table orders; `error` also says what no schema can: that two lines have one number, that
-- their total may not fit, or that the enriched order may take more than its topic does. The last is found here, before
-- the order is in any state: a line gets up to 256 bytes longer, unless names are longer than a hundred characters.
CREATE TEMPORARY VIEW checked_orders AS
SELECT
    event_id,
    order_id,
    customer_id,
    currency,
    lines,
    total_minor,
    shipping_country,
    event_time,
    COALESCE(
        error,
        CASE
            WHEN CARDINALITY(ARRAY_DISTINCT(field_of_each(lines, 'line_number'))) < CARDINALITY(lines)
                THEN 'lines: two have the same line_number'
            WHEN CAST(ARRAY_MAX(field_of_each(lines, 'quantity')) AS DOUBLE)
                * ARRAY_MAX(field_of_each(lines, 'unit_price_minor'))
                * CARDINALITY(lines) > 9E18
                THEN 'lines: the total may be greater than a BIGINT'
            WHEN CARDINALITY(lines) > 1000
                AND CHAR_LENGTH(DECODE(payload, 'ISO-8859-1')) + CARDINALITY(lines) * 256 > ${RECORD_BYTES}
                THEN CONCAT(
                    'lines: with what is known of ',
                    CAST(CARDINALITY(lines) AS STRING),
                    ' products the order may take more than ${RECORD_BYTES} bytes'
                )
        END
    ) AS error,
    payload,
    record_key,
    source_topic,
    source_partition,
    source_offset,
    source_headers
FROM orders
