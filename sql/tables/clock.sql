-- One row every half second, with the time of the machine: it lets event time advance while no records come, so that the
-- last of them needn't wait for the next. As far behind as a source that has records; while one has, it is that source
-- which holds event time back.
CREATE TABLE clock (
    tick BIGINT,
    event_time AS CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)),
    WATERMARK FOR event_time AS event_time - INTERVAL '${MILLRACE_WATERMARK_DELAY_SECONDS}' SECOND
) WITH (
    'connector' = 'datagen',
    'rows-per-second' = '2',
    'scan.parallelism' = '1',
    'fields.tick.min' = '0'
)
