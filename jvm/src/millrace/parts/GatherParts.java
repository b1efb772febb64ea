package millrace.parts;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.RowType;

/**
 * The SQL function {@code gather_parts}: combines the parts of a whole that was split to be joined.
 *
 * <pre>
 * SELECT …
 * FROM gather_parts(
 *     input =&gt; TABLE order_parts PARTITION BY order_id,
 *     part =&gt; 'part',
 *     parts =&gt; 'parts',
 *     whole =&gt; 'order_event_id',
 *     missing =&gt; 'missing',
 *     later =&gt; 'found_later',
 *     collected =&gt; 'line',
 *     summed =&gt; 'lines_total_minor',
 *     moment =&gt; 'placed_ms',
 *     open_hours =&gt; 24,
 *     ttl_hours =&gt; 48,
 *     uid =&gt; 'order-parts')
 * </pre>
 *
 * <p>{@code part} is a part's number within its whole, {@code parts} the number of parts, {@code missing} names what a
 * part lacks, and is NULL if it lacks nothing. When all parts of a key have arrived, one row is emitted as revision 1:
 * the partition keys, then the input's columns without {@code part}, {@code parts} and {@code later}, then {@code
 * revision}. In it {@code missing} is an array of the parts' values, in the order of their numbers and each once;
 * {@code collected} is an array of that column's values that aren't NULL, in the same order; {@code summed} is the sum
 * of that column, NULL without values; every other column is its first value that isn't NULL, in the same order.
 *
 * <p>If something was missing, each part that lacked it may arrive again with it: otherwise the same row, with {@code
 * later} TRUE. It replaces the first one, but not in revision 1, so that the rows don't depend on the order in which
 * the two arrive. When every such part has arrived, the next revision is emitted. A revision in which something is
 * missing again withdraws the one before.
 *
 * <p>A part that arrives again, {@code later} or not, replaces the one of that number and kind: it is a correction. If
 * it changes the whole, the next revision is emitted; if something is missing now, later parts are left out again until
 * nothing is missing.
 *
 * <p>If one key has several wholes, which differ in {@code whole} and {@code moment}, the one whose part arrives first
 * counts.
 *
 * <p>It drops no late rows. When the watermark is {@code open_hours} past its {@code moment} (milliseconds), an emitted
 * whole is done: two bytes of state keep that. A key is removed in processing time, {@code ttl_hours} after its last
 * part.
 */
public final class GatherParts extends ProcessTableFunction<RowData> implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private final GatherPartsCall call;

    private transient Parts gathered;
    private transient List<Integer> columns;
    private transient RowData.FieldGetter[] getters;
    private transient RowDataSerializer comparable;
    private transient long openMs;
    private transient Counter incomplete;
    private transient Counter completed;
    private transient Counter corrected;
    private transient Counter ignored;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public GatherParts() {
        this(null);
    }

    private GatherParts(GatherPartsCall call) {
        this.call = call;
    }

    /** What is stored of a key. */
    public static final class Memory {
        /** As {@link Parts} writes it; null for a key that was never seen. */
        public byte[] bytes;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new GatherParts(GatherPartsCall.of(context.getCallContext()));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put("parts", new MemoryType());
        return TypeInference.newBuilder()
                .staticArguments(call == null ? GatherPartsCall.anyArguments() : call.itsArguments())
                .stateTypeStrategies(state)
                .outputTypeStrategy(context -> Optional.of(GatherPartsCall.of(context).outputType()))
                .build();
    }

    /** A call's state, and the time for which it is kept. */
    private static final class MemoryType implements StateTypeStrategy {

        @Override
        public Optional<DataType> inferType(CallContext context) {
            return Optional.of(DataTypes.STRUCTURED(Memory.class, DataTypes.FIELD("bytes", DataTypes.BYTES())));
        }

        @Override
        public Optional<Duration> getTimeToLive(CallContext context) {
            return Optional.of(Duration.ofHours(GatherPartsCall.of(context).ttlHours()));
        }
    }

    @Override
    public void open(FunctionContext context) {
        gathered = new Parts(call);
        columns = call.outputColumns();
        getters = new RowData.FieldGetter[call.row().getFieldCount()];
        for (int column = 0; column < getters.length; column++) {
            getters[column] = RowData.createFieldGetter(call.row().getTypeAt(column), column);
        }
        comparable = new RowDataSerializer((RowType) call.outputType().getLogicalType());
        openMs = Duration.ofHours(call.openHours()).toMillis();
        incomplete = context.getMetricGroup().counter("incomplete");
        completed = context.getMetricGroup().counter("completed");
        corrected = context.getMetricGroup().counter("corrected");
        ignored = context.getMetricGroup().counter("ignored_parts");
    }

    /** Called for each row of the input; the other arguments are constants of the {@link GatherPartsCall}. */
    public void eval(
            Context context,
            Memory memory,
            RowData input,
            StringData part,
            StringData parts,
            StringData whole,
            StringData missing,
            StringData later,
            StringData collected,
            StringData summed,
            StringData moment,
            Integer openHours,
            Integer ttlHours) {
        check(input);
        if (memory.bytes == null) {
            context.timeContext(Long.class).registerOnTime(input.getLong(call.moment()) + openMs);
        }
        gathered.open(memory.bytes);
        boolean wasSent = !gathered.isDone() && gathered.revision() > 0;
        GenericRowData before = wasSent ? current() : null;
        if (gathered.isDone() || !gathered.add(input)) {
            ignored.inc();
            return;
        }
        if (wasSent) {
            sendIfItDiffers(before);
        } else if (gathered.areAllThere()) {
            sendFirst();
        }
        memory.bytes = gathered.bytes();
    }

    /** Called when no correction can arrive any more. */
    public void onTimer(OnTimerContext context, Memory memory) {
        gathered.open(memory.bytes);
        if (gathered.revision() > 0) {
            memory.bytes = gathered.done();
        }
    }

    private void check(RowData input) {
        for (int column : new int[] {call.part(), call.parts(), call.whole(), call.moment()}) {
            if (input.isNullAt(column)) {
                throw new IllegalArgumentException(
                        "gather_parts got a row without '" + call.row().getFieldNames().get(column)
                                + "'; leave it out in the view that is its input");
            }
        }
    }

    /** The whole as it is now: with all later parts if nothing is missing, otherwise as it was at its moment. */
    private GenericRowData current() {
        return row(gathered.isNothingMissing() ? gathered.asTheyBecame() : gathered.asTheyWere());
    }

    private void sendFirst() {
        GenericRowData row = row(gathered.asTheyWere());
        boolean isIncomplete = isIncomplete(row);
        send(row);
        if (isIncomplete && gathered.isNothingMissing()) {
            completed.inc();
            send(current());
        }
    }

    private void sendIfItDiffers(GenericRowData before) {
        GenericRowData after = current();
        BinaryRowData sent = comparable.toBinaryRow(before).copy();
        if (sent.equals(comparable.toBinaryRow(after))) {
            return;
        }
        (isIncomplete(before) && !isIncomplete(after) ? completed : corrected).inc();
        send(after);
    }

    private void send(GenericRowData row) {
        if (isIncomplete(row)) {
            incomplete.inc();
        }
        gathered.goOn();
        row.setField(columns.size(), gathered.revision());
        collect(row);
    }

    private boolean isIncomplete(GenericRowData row) {
        return row.getArray(columns.indexOf(call.missing())).size() > 0;
    }

    private GenericRowData row(Collection<RowData> rows) {
        GenericRowData row = new GenericRowData(columns.size() + 1);
        for (int field = 0; field < columns.size(); field++) {
            row.setField(field, value(columns.get(field), rows));
        }
        row.setField(columns.size(), 0);
        return row;
    }

    private Object value(int column, Collection<RowData> rows) {
        List<Object> values = new ArrayList<>();
        for (RowData row : rows) {
            Object value = getters[column].getFieldOrNull(row);
            if (value != null) {
                values.add(value);
            }
        }
        if (column == call.missing()) {
            Set<Object> each = new LinkedHashSet<>(values);
            return new GenericArrayData(each.toArray());
        }
        if (column == call.collected()) {
            return new GenericArrayData(values.toArray());
        }
        if (values.isEmpty()) {
            return null;
        }
        return column == call.summed() ? values.stream().mapToLong(value -> (Long) value).sum() : values.get(0);
    }
}
