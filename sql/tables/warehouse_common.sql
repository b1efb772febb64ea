-- What every sink table of the warehouse has in common; each adds its columns and its `table-name`.
-- None declares a primary key. With one the connector would reduce each batch to the row of a key that came last, and an
-- older version that comes after a newer one would push it out before PostgreSQL has seen either. So rows are plainly
-- inserted, and the tables themselves keep the newest version (sql/tables/warehouse/0001_keep_newest.sql).
CREATE TABLE IF NOT EXISTS warehouse_common WITH (
    -- Flink's jdbc, but an unavailable server ends no TaskManager.
    'connector' = 'guarded-jdbc',
    -- stringtype: PostgreSQL takes a text for whatever type its column has, such as timestamptz or jsonb.
    -- reWriteBatchedInserts: one INSERT of many rows instead of many of one.
    -- socketTimeout, connectTimeout (seconds): a server that doesn't answer is an error, not a wait for ever.
    -- logServerErrorDetail: the values of rows, such as customers' addresses, stay out of logs and of the web UI.
    'url' = 'jdbc:${MILLRACE_WAREHOUSE_URL}?stringtype=unspecified&reWriteBatchedInserts=true&socketTimeout=60&connectTimeout=10&tcpKeepAlive=true&logServerErrorDetail=false&ApplicationName=${CONSUMER_GROUP}',
    'username' = '${MILLRACE_WAREHOUSE_USER}',
    'password' = '${MILLRACE_WAREHOUSE_PASSWORD}',
    -- A row waits at most a second, fewer when there are many. What waits is also flushed before each checkpoint, so
    -- that nothing that a checkpoint counts as done can be lost: each row is written at least once.
    'sink.buffer-flush.interval' = '1s',
    'sink.buffer-flush.max-rows' = '2048',
    -- For what is over at once, such as a deadlock or two writers of one new key. While PostgreSQL is unavailable, the task
    -- fails, and Flink starts it again from the last checkpoint until it is back, however long that takes.
    'sink.max-retries' = '3'
)
