package millrace.versions;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Optional;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.DataTypeFactory;
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

/**
 * The SQL function {@code row_versions}: the versions of each row, every one once, in the order of their numbers, and
 * beside each the one that it takes the place of.
 *
 * <pre>
 * SELECT …
 * FROM row_versions(
 *     input =&gt; TABLE product_changes PARTITION BY product_id,
 *     on_time =&gt; DESCRIPTOR(event_time),
 *     version =&gt; 'lsn',
 *     uid =&gt; 'product-versions')
 * </pre>
 *
 * <p>A row goes out with a column {@code previous}: the version before it as a row of the same columns, NULL for a key's
 * first one. A version whose number isn't greater than the one before is left out: it was seen, or a later one was.
 * So what follows, a temporal join above all, may take the later of two rows of one moment for the later version.
 *
 * <p>State is each key's last version, for ever, as the table that it comes from has it. It knows no watermark: nothing
 * is late.
 */
public final class RowVersions extends ProcessTableFunction<RowData> implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private static final byte FORMAT = 1;
    private static final int HEAD = 5;

    private final Call call;

    private transient RowDataSerializer serializer;
    private transient int fingerprint;
    private transient Counter ignored;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public RowVersions() {
        this(null);
    }

    private RowVersions(Call call) {
        this.call = call;
    }

    /** What is stored of a key. */
    public static final class Memory {
        /** {@link #FORMAT}, the columns' fingerprint, the row as Flink keeps it in memory; null for a new key. */
        public byte[] bytes;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new RowVersions(Call.of(context.getCallContext()));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put("last", new MemoryType());
        return TypeInference.newBuilder()
                .staticArguments(call == null ? Call.anyArguments() : call.itsArguments())
                .stateTypeStrategies(state)
                .outputTypeStrategy(context -> Optional.of(Call.of(context).outputType()))
                .build();
    }

    /** A call's state; it is never forgotten, whatever the job's settings. */
    private static final class MemoryType implements StateTypeStrategy {

        @Override
        public Optional<DataType> inferType(CallContext context) {
            return Optional.of(DataTypes.STRUCTURED(Memory.class, DataTypes.FIELD("bytes", DataTypes.BYTES())));
        }

        @Override
        public Optional<Duration> getTimeToLive(CallContext context) {
            return Optional.of(Duration.ZERO);
        }
    }

    @Override
    public void open(FunctionContext context) {
        serializer = new RowDataSerializer(call.storedType());
        fingerprint = call.storedType().asSerializableString().hashCode();
        ignored = context.getMetricGroup().counter("ignored_versions");
    }

    /** Called for each row of the input; the other argument is a constant of the {@link Call}. */
    public void eval(Memory memory, RowData input, StringData version) {
        RowData previous = memory.bytes == null ? null : stored(memory.bytes);
        if (previous != null && input.getLong(call.version()) <= previous.getLong(call.version())) {
            ignored.inc();
            return;
        }
        memory.bytes = bytes(input);
        collect(GenericRowData.of(previous));
    }

    private byte[] bytes(RowData input) {
        BinaryRowData row = serializer.toBinaryRow(input);
        byte[] bytes = new byte[HEAD + row.getSizeInBytes()];
        ByteBuffer.wrap(bytes).put(FORMAT).putInt(fingerprint);
        row.getSegments()[0].get(row.getOffset(), bytes, HEAD, row.getSizeInBytes());
        return bytes;
    }

    private RowData stored(byte[] bytes) {
        if (bytes[0] != FORMAT || ByteBuffer.wrap(bytes).getInt(1) != fingerprint) {
            throw new IllegalStateException(
                    "the state of row_versions was written by another release, or for other columns than "
                            + call.storedType().asSummaryString()
                            + ": restore the savepoint with the release that wrote it, or start without one");
        }
        BinaryRowData row = new BinaryRowData(call.row().getFieldCount());
        row.pointTo(MemorySegmentFactory.wrap(bytes), HEAD, bytes.length - HEAD);
        return row;
    }
}
