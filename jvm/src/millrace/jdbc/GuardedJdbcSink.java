package millrace.jdbc;

import org.apache.flink.connector.jdbc.internal.GenericJdbcSinkFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;

/** The connector's sink, with its function in a {@link GuardedJdbcFunction}. */
@SuppressWarnings("deprecation")
final class GuardedJdbcSink implements DynamicTableSink {

    private final DynamicTableSink sink;

    GuardedJdbcSink(DynamicTableSink sink) {
        this.sink = sink;
    }

    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requested) {
        return sink.getChangelogMode(requested);
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
        var provider =
                (org.apache.flink.table.connector.sink.legacy.SinkFunctionProvider)
                        sink.getSinkRuntimeProvider(context);
        var function = (GenericJdbcSinkFunction<RowData>) provider.createSinkFunction();
        return org.apache.flink.table.connector.sink.legacy.SinkFunctionProvider.of(
                new GuardedJdbcFunction(function), provider.getParallelism().orElse(null));
    }

    @Override
    public DynamicTableSink copy() {
        return new GuardedJdbcSink(sink.copy());
    }

    @Override
    public String asSummaryString() {
        return sink.asSummaryString();
    }
}
