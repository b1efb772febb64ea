-- One row per country and hour, an hour every five minutes, written to the topic `declined-rates` under the country.
-- Written at least once: event_id is made of the two, so that a duplicate is seen to be one.
CREATE TABLE declined_rates_out (
    event_id STRING,
    event_time BIGINT,
    event_type STRING,
    window_start BIGINT,
    window_end BIGINT,
    country STRING,
    payments BIGINT,
    declined BIGINT,
    declined_rate DOUBLE,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = 'declined-rates',
    'key.format' = 'raw',
    'key.fields' = 'country',
    'value.format' = 'json'
) LIKE kafka_sink
