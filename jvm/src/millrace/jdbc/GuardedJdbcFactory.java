package millrace.jdbc;

import org.apache.flink.connector.jdbc.core.table.JdbcDynamicTableFactory;
import org.apache.flink.table.connector.sink.DynamicTableSink;

/**
 * {@code 'connector' = 'guarded-jdbc'}: Flink's JDBC connector, but a database that is away ends no TaskManager.
 *
 * <p>When a job fails with rows that wait to be written, the connector tries to write them while it is closed, and throws
 * when that fails too. To Flink an error during the handling of an error is fatal: it ends the process.
 *
 * @see GuardedJdbcFunction
 */
public final class GuardedJdbcFactory extends JdbcDynamicTableFactory {

    static final String GUARDED = "guarded-jdbc";

    @Override
    public String factoryIdentifier() {
        return GUARDED;
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        return new GuardedJdbcSink(super.createDynamicTableSink(context));
    }
}
