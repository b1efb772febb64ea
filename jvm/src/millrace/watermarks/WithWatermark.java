package millrace.watermarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.TableSemantics;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

/**
 * The SQL function {@code with_watermark}: each row with a watermark that no later step is ahead of.
 *
 * <pre>
 * SELECT *, FLOOR(rowtime TO MINUTE) + INTERVAL '59.999' SECOND &lt;= last_watermark AS is_late
 * FROM with_watermark(
 *     input =&gt; TABLE enriched_orders,
 *     on_time =&gt; DESCRIPTOR(event_time),
 *     uid =&gt; 'orders-with-watermark')
 * </pre>
 *
 * <p>The output has the columns of the input, {@code last_watermark}, which is NULL before the first one, and {@code
 * rowtime}: the event time as the attribute that later steps use.
 *
 * <p>Unlike {@code CURRENT_WATERMARK}, it is the watermark of all partitions together, also right after a restore.
 * There is one instance whatever the job's parallelism, so all rows and watermarks pass in one order; and the last
 * watermark is state, so that after a restore it is the one of windows and joins after it. It doesn't know the event
 * times of rows that it hasn't seen, so the input must be the whole of a source, or of all sources that are joined
 * later, and filters come after it.
 */
public final class WithWatermark extends ProcessTableFunction<RowData> implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private static final String WATERMARK = "last_watermark";
    private static final int INPUT = 0;

    private static final EnumSet<StaticArgumentTrait> INPUT_TRAITS =
            EnumSet.of(
                    StaticArgumentTrait.TABLE,
                    StaticArgumentTrait.SET_SEMANTIC_TABLE,
                    StaticArgumentTrait.OPTIONAL_PARTITION_BY,
                    StaticArgumentTrait.REQUIRE_ON_TIME);

    private final RowType row;

    private transient JoinedRowData output;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public WithWatermark() {
        this(null);
    }

    private WithWatermark(RowType row) {
        this.row = row;
    }

    /** State of the function. */
    public static final class Memory {
        /** The last watermark in milliseconds; null before the first row. */
        public Long watermark;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new WithWatermark(rowOf(context.getCallContext()));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        DataType inputType = row == null ? null : DataTypes.of(row).bridgedTo(RowData.class);
        StaticArgument input =
                inputType == null
                        ? StaticArgument.table("input", RowData.class, false, INPUT_TRAITS)
                        : StaticArgument.table("input", inputType, false, INPUT_TRAITS);
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put("last", new MemoryType());
        return TypeInference.newBuilder()
                .staticArguments(input)
                .stateTypeStrategies(state)
                .outputTypeStrategy(context -> Optional.of(outputType(rowOf(context))))
                .build();
    }

    /** Type of the state, without a time to live, whatever the job's settings. */
    private static final class MemoryType implements StateTypeStrategy {

        @Override
        public Optional<DataType> inferType(CallContext context) {
            return Optional.of(DataTypes.STRUCTURED(Memory.class, DataTypes.FIELD("watermark", DataTypes.BIGINT())));
        }

        @Override
        public Optional<Duration> getTimeToLive(CallContext context) {
            return Optional.of(Duration.ZERO);
        }
    }

    private static RowType rowOf(CallContext context) {
        TableSemantics input =
                context.getTableSemantics(INPUT)
                        .orElseThrow(() -> new ValidationException("input must be a table: input => TABLE orders"));
        if (input.partitionByColumns().length > 0) {
            throw new ValidationException(
                    "with_watermark takes no PARTITION BY: a key that is new after a restore would know no watermark");
        }
        RowType row = (RowType) input.dataType().getLogicalType();
        if (row.getFieldIndex(WATERMARK) >= 0) {
            throw new ValidationException(
                    "the input has a column '" + WATERMARK + "', as the output will; name it otherwise in a view");
        }
        return row;
    }

    private static DataType outputType(RowType row) {
        List<DataTypes.Field> fields = new ArrayList<>();
        row.getFields()
                .forEach(
                        field ->
                                fields.add(
                                        DataTypes.FIELD(
                                                field.getName(),
                                                DataTypes.of(LogicalTypeUtils.removeTimeAttributes(field.getType())))));
        fields.add(DataTypes.FIELD(WATERMARK, DataTypes.TIMESTAMP_LTZ(3)));
        return DataTypes.ROW(fields).notNull().bridgedTo(RowData.class);
    }

    /** Called for each row of the input. */
    public void eval(Context context, Memory memory, RowData input) {
        TimeContext<Long> now = context.timeContext(Long.class);
        if (memory.watermark == null) {
            remember(now, memory);
        }
        long watermark = latest(now, memory);
        GenericRowData column =
                GenericRowData.of(watermark == Long.MIN_VALUE ? null : TimestampData.fromEpochMillis(watermark));
        if (output == null) {
            output = new JoinedRowData();
        }
        collect(output.replace(input, column));
    }

    /** Called at each watermark. */
    public void onTimer(OnTimerContext context, Memory memory) {
        remember(context.timeContext(Long.class), memory);
    }

    private static void remember(TimeContext<Long> now, Memory memory) {
        memory.watermark = latest(now, memory);
        if (memory.watermark != Long.MAX_VALUE) {
            now.registerOnTime(memory.watermark + 1);
        }
    }

    /** The later one of both watermarks: after a restore the operator's own starts again, behind the stored one. */
    private static long latest(TimeContext<Long> now, Memory memory) {
        Long current = now.currentWatermark();
        return Math.max(
                current == null ? Long.MIN_VALUE : current, memory.watermark == null ? Long.MIN_VALUE : memory.watermark);
    }
}
