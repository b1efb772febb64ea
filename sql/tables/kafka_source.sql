-- Options that every table over a topic that is read has in common, by `LIKE kafka_source`; each adds its columns, its
-- topic and its formats.
CREATE TABLE IF NOT EXISTS kafka_source WITH (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${MILLRACE_KAFKA_BOOTSTRAP_SERVERS}',
    -- Keeps headers of one name apart, which Flink's map of headers can't.
    'properties.interceptor.classes' = 'millrace.kafka.WholeHeaders',
    'properties.group.id' = '${CONSUMER_GROUP}',
    'properties.auto.offset.reset' = 'earliest',
    'properties.isolation.level' = 'read_committed',
    'properties.partition.discovery.interval.ms' = '60000',
    'scan.startup.mode' = '${MILLRACE_START_FROM}',
    -- A partition that is quiet for this time holds nothing back.
    'scan.watermark.idle-timeout' = '${MILLRACE_SOURCE_IDLE_SECONDS} s'
)
