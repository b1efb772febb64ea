-- Options that every table over a topic that is written has in common, by `LIKE kafka_sink`; each adds its columns, its
-- topic and its formats.
CREATE TABLE IF NOT EXISTS kafka_sink WITH (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    -- A record that its topic would refuse becomes a dead letter; `properties.millrace.*` say what a topic takes.
    'properties.interceptor.classes' = 'millrace.kafka.BoundedRecords',
    'properties.millrace.record.bytes' = '${RECORD_BYTES}',
    'properties.millrace.future.ms' = '${FUTURE_MS}',
    'properties.millrace.letter.topics' = '${LETTER_TOPICS}',
    'properties.millrace.job' = '${JOB}',
    'properties.max.request.size' = '${REQUEST_BYTES}',
    'properties.linger.ms' = '5',
    'properties.compression.type' = 'lz4',
    'sink.delivery-guarantee' = 'at-least-once'
)
