-- One row per version of a customer, as warehouse.dim_customer takes it.
CREATE TEMPORARY VIEW dim_customer_rows AS
SELECT
    customer_id,
    lsn,
    CAST(event_time AS STRING) || '+00' AS valid_from,
    deleted,
    name,
    email,
    phone,
    tier,
    country,
    `language`,
    time_zone,
    notifications_opt_out
FROM checked_db_changes_customers
WHERE fault IS NULL
