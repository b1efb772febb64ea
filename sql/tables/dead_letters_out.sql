-- One row per record that was rejected or came too late, written to the topic `dead-letters` under the record's own key.
-- Written at least once: event_id is the record's topic, partition and offset, so that a duplicate is seen to be one.
CREATE TABLE dead_letters_out (
    event_id STRING,
    event_type STRING,
    event_time BIGINT,
    source_topic STRING,
    source_partition BIGINT,
    source_offset BIGINT,
    source_key BYTES,
    source_headers MAP<STRING, BYTES>,
    payload BYTES,
    reason STRING,
    rejected_by STRING,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = 'dead-letters',
    'key.format' = 'raw',
    'key.fields' = 'source_key',
    'value.format' = 'json'
) LIKE kafka_sink
