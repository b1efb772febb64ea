-- One row per event that Python has encoded, keyed as its topic is; written at least once: every event's id is derived
-- from what caused it, so that a duplicate is seen to be one. The row's topic must be among those listed. The rows
-- are few and urgent: none waits for others to share its request, as it would for 5 ms by default.
CREATE TABLE outgoing_events (
    topic STRING METADATA,
    record_key BYTES,
    record_value BYTES,
    event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
) WITH (
    'topic' = '${OUTGOING_TOPICS}',
    'properties.linger.ms' = '0',
    'key.format' = 'raw',
    'key.fields' = 'record_key',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY'
) LIKE kafka_sink (OVERWRITING OPTIONS)
