-- One row per version of a customer, written at least once. Its time is a text with zone: as a TIMESTAMP the connector
-- would take it for local time of whatever zone the TaskManager runs in.
CREATE TABLE warehouse_dim_customer (
    customer_id STRING,
    lsn BIGINT,
    valid_from STRING,
    deleted BOOLEAN,
    name STRING,
    email STRING,
    phone STRING,
    tier STRING,
    country STRING,
    `language` STRING,
    time_zone STRING,
    notifications_opt_out BOOLEAN
) WITH (
    'table-name' = 'warehouse.dim_customer'
) LIKE warehouse_common
