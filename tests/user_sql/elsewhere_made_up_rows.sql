-- elsewhere_made_up_rows.sql, line 2, CREATE TABLE server_logs: Unable to create a source for reading table 'server_logs'.
CREATE TABLE server_logs (
    client_ip STRING,
    request_line STRING,
    status_code STRING
) WITH (
    'connector' = 'faker',
    'fields.client_ip.expression' = '#{Internet.publicIpV4Address}'
);
CREATE TABLE errors (client_ip STRING) WITH ('connector' = 'blackhole');
INSERT INTO errors SELECT client_ip FROM server_logs WHERE status_code LIKE '4%';
