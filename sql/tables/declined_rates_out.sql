-- One row per country and hour, an hour every five minutes, written to the topic `declined-rates` under the country.
-- Written at least once: event_id is made of the two, so that a second copy is seen to be one.
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
    'connector' = 'kafka',
    'topic' = 'declined-rates',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    'properties.interceptor.classes' = 'millrace.kafka.BoundedRecords',
    'properties.millrace.record.bytes' = '${RECORD_BYTES}',
    'properties.millrace.future.ms' = '${FUTURE_MS}',
    'properties.millrace.letter.topics' = '${LETTER_TOPICS}',
    'properties.millrace.job' = '${JOB}',
    'properties.max.request.size' = '${REQUEST_BYTES}',
    'properties.linger.ms' = '5',
    'properties.compression.type' = 'lz4',
    'key.format' = 'raw',
    'key.fields' = 'country',
    'value.format' = 'json',
    'sink.delivery-guarantee' = 'at-least-once'
)
