package millrace.jdbc;

import java.util.Set;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.connector.jdbc.core.table.JdbcDynamicTableFactory;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.DynamicTableSourceFactory;

/**
 * {@code 'connector' = 'guarded-jdbc'}: Flink's JDBC connector, but an unavailable database ends no TaskManager.
 *
 * <p>When a job fails with rows that wait to be written, the connector tries to write them while it is closed, and
 * throws if that fails, too. Flink treats an error during the handling of an error as fatal: it ends the process.
 *
 * <p>The connector's classes are loaded when a table needs them: without them on the class path, a factory that can't
 * be loaded would fail every table whose connector looks through all factories, such as {@code filesystem}.
 *
 * @see GuardedJdbcFunction
 */
public final class GuardedJdbcFactory implements DynamicTableSourceFactory, DynamicTableSinkFactory {

    static final String GUARDED = "guarded-jdbc";

    @Override
    public String factoryIdentifier() {
        return GUARDED;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return connector().requiredOptions();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return connector().optionalOptions();
    }

    @Override
    public Set<ConfigOption<?>> forwardOptions() {
        return connector().forwardOptions();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        return connector().createDynamicTableSource(context);
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        return new GuardedJdbcSink(connector().createDynamicTableSink(context));
    }

    private static Connector connector() {
        try {
            return new Connector();
        } catch (NoClassDefFoundError absent) { // not the cause of what is thrown: clients show that one alone
            throw new ValidationException(
                    "'connector' = '" + GUARDED + "' needs Flink's JDBC connector, which is not in the classpath: add "
                            + "flink-connector-jdbc-core, the connector's jar for the database, and its JDBC driver");
        }
    }

    /** The connector under its other name. */
    private static final class Connector extends JdbcDynamicTableFactory {

        @Override
        public String factoryIdentifier() {
            return GUARDED;
        }
    }
}
