package millrace.jdbc;

import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.InputTypeConfigurable;
import org.apache.flink.connector.jdbc.internal.GenericJdbcSinkFunction;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.table.data.RowData;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes waiting rows when the input ends or a checkpoint is taken, where a failure fails only the job. Rows that still
 * wait when it is closed belong to no checkpoint, and are read again.
 */
@SuppressWarnings("deprecation")
final class GuardedJdbcFunction
        extends org.apache.flink.streaming.api.functions.sink.legacy.RichSinkFunction<RowData>
        implements CheckpointedFunction, InputTypeConfigurable {

    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(GuardedJdbcFunction.class);

    private final GenericJdbcSinkFunction<RowData> function;

    GuardedJdbcFunction(GenericJdbcSinkFunction<RowData> function) {
        this.function = function;
    }

    @Override
    public void setInputType(TypeInformation<?> type, ExecutionConfig config) {
        function.setInputType(type, config);
    }

    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        function.setRuntimeContext(context);
    }

    @Override
    public void initializeState(FunctionInitializationContext context) {
        function.initializeState(context);
    }

    @Override
    public void open(OpenContext context) throws Exception {
        function.open(context);
    }

    @Override
    public void invoke(RowData row, Context context) throws Exception {
        function.invoke(row, context);
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        function.snapshotState(context);
    }

    @Override
    public void finish() throws Exception {
        function.snapshotState(null); // makes it write the rows that wait
    }

    @Override
    public void close() {
        try {
            function.close();
        } catch (RuntimeException failure) {
            LOG.warn("Rows that wait are not written: they are read again from the last checkpoint.", failure);
            closeConnection();
        }
    }

    /**
     * Closes the function a second time: then it skips the rows, closes its connection, and throws the first failure.
     */
    private void closeConnection() {
        try {
            function.close();
        } catch (RuntimeException failure) {
            LOG.debug("The connection is closed.", failure);
        }
    }
}
