package millrace.features;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.table.data.utils.ProjectedRowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The SQL function {@code sliding_features}: every event of a key at once, with features of the key's recent events.
 *
 * <pre>
 * SELECT …
 * FROM sliding_features(
 *     input =&gt; TABLE payments PARTITION BY card_id,
 *     features =&gt; 'count_1m = count() over 1 minute, previous_country = previous(country)',
 *     id =&gt; 'payment_id',
 *     max_events =&gt; 1000,
 *     on_time =&gt; DESCRIPTOR(event_time),
 *     uid =&gt; 'payment-features')
 * </pre>
 *
 * <p>The output has the key's columns, the other columns of the input, one a feature, {@code is_duplicate}, {@code
 * is_late}, {@code is_truncated}, and {@code rowtime}: the event time as the attribute that later steps and streams
 * use.
 *
 * <p>It keeps one {@link History} of each key: at most {@code max_events} events, none older than the newest one minus
 * the retention, which is the longest window, or 24 hours if a feature looks at the previous event. An event that is
 * older than that is late. One with the {@code id} of a kept event is a duplicate and doesn't count again. A row is
 * truncated if an event was dropped that one of its features may have wanted: because there were more than the bound,
 * because the row is out of order and its windows reach further back than what is kept, or because the history was
 * written under another declaration that didn't store a column.
 *
 * <p>A history is stored with the names of its columns. When the declaration changes under the same {@code uid}, each
 * key continues with the columns that both have.
 *
 * <p>A key is forgotten in event time, when the watermark is the retention plus {@link #RESERVE} past its newest event:
 * until then, late events are recognised. One timer a key does that instead of Flink's time to live, which would look
 * at several other keys whenever one is read.
 */
public final class SlidingFeatures extends ProcessTableFunction<RowData> implements SpecializedFunction {

    /** Time for which a key is kept after all windows have ended, so that late events are recognised. */
    static final Duration RESERVE = Duration.ofHours(24);

    private static final long serialVersionUID = 1L;

    private final SlidingFeaturesCall call;

    private transient History before;
    private transient History after;
    private transient HistoryWriter writer;
    private transient EventReader reader;
    private transient Evaluator evaluator;
    private transient Event event;
    private transient ProjectedRowData others;
    private transient JoinedRowData output;
    private transient long retentionMs;
    private transient long keptMs;
    private transient int flagsFrom;
    private transient Counter late;
    private transient Counter duplicates;
    private transient Counter truncated;
    private transient Counter statesMigrated;
    private transient Counter forgotten;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public SlidingFeatures() {
        this(null);
    }

    private SlidingFeatures(SlidingFeaturesCall call) {
        this.call = call;
    }

    /** What is stored of a key. */
    public static final class Memory {
        /** A {@link History}; null for a key that was never seen. */
        public byte[] bytes;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new SlidingFeatures(SlidingFeaturesCall.of(context.getCallContext()));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put("history", new MemoryType());
        return TypeInference.newBuilder()
                .staticArguments(call == null ? SlidingFeaturesCall.anyArguments() : call.itsArguments())
                .stateTypeStrategies(state)
                .outputTypeStrategy(context -> Optional.of(SlidingFeaturesCall.of(context).outputType()))
                .build();
    }

    /** Type of the state; without a time to live, since a timer removes a key. */
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
        List<Feature> features = call.declared();
        Layout layout = Layout.of(features, call.id(), call.columns());
        late = context.getMetricGroup().counter("late");
        duplicates = context.getMetricGroup().counter("duplicates");
        truncated = context.getMetricGroup().counter("truncated");
        statesMigrated = context.getMetricGroup().counter("states_migrated");
        forgotten = context.getMetricGroup().counter("forgotten_keys");
        Counter oversizedTexts = context.getMetricGroup().counter("oversized_texts");
        before = new History(layout);
        after = new History(layout);
        writer = new HistoryWriter(layout);
        reader = new EventReader(layout, features, call.row(), call.timeColumn(), oversizedTexts);
        evaluator = new Evaluator(layout, features, call.row());
        event = new Event(layout);
        others = ProjectedRowData.from(call.others());
        output = new JoinedRowData();
        retentionMs = Evaluator.retentionMs(features);
        keptMs = RESERVE.plusMillis(retentionMs).toMillis();
        flagsFrom = features.size();
    }

    /** Called for each row of the input; the other arguments are constants of the {@link SlidingFeaturesCall}. */
    public void eval(
            Context context, Memory memory, RowData input, StringData features, StringData id, Integer maxEvents) {
        reader.read(input, event);
        if (memory.bytes == null) {
            forgetLater(context.timeContext(Long.class), event.time);
        }
        look(memory);
        GenericRowData row = new GenericRowData(flagsFrom + Declaration.OUTPUT_FLAGS.size());
        int original = (event.flags & before.layout.textFlag(0)) == 0 ? -1 : before.find(event.texts[0]);
        boolean isDuplicate = original >= 0;
        boolean isLate = before.count() > 0 && event.time < before.newest() - retentionMs;
        boolean isTruncated = false;
        if (isDuplicate) {
            duplicates.inc();
        }
        if (isLate) {
            late.inc();
            after.open(writer.empty());
            evaluator.evaluate(after, event, 0, -1, row);
        } else if (isDuplicate) {
            isTruncated = evaluator.evaluate(before, event, before.countUntil(event.time), original, row);
        } else {
            isTruncated = remember(memory, row);
        }
        row.setField(flagsFrom, isDuplicate);
        row.setField(flagsFrom + 1, isLate);
        row.setField(flagsFrom + 2, isTruncated);
        collect(output.replace(others.replaceRow(input), row));
    }

    /** Called when a key can be removed, unless it had events since the timer was set. */
    public void onTimer(OnTimerContext context, Memory memory) {
        TimeContext<Long> now = context.timeContext(Long.class);
        look(memory);
        if (before.newest() <= now.time() - keptMs) {
            context.clearAllState();
            forgotten.inc();
        } else {
            forgetLater(now, before.newest());
        }
    }

    private void forgetLater(TimeContext<Long> time, long newest) {
        time.registerOnTime(newest + keptMs);
    }

    private void look(Memory memory) {
        if (memory.bytes == null) {
            before.open(writer.empty());
            return;
        }
        if (!before.reads(memory.bytes)) {
            statesMigrated.inc();
            History older = new History(History.layoutOf(memory.bytes));
            older.open(memory.bytes);
            memory.bytes = writer.migrate(older);
        }
        before.open(memory.bytes);
    }

    /** Adds the event to the history, drops events that are too old or too many, and computes the features. */
    private boolean remember(Memory memory, GenericRowData row) {
        long newest = Math.max(before.newest(), event.time);
        int expired = before.countUntil(newest - retentionMs - 1);
        int excess = Math.max(0, before.count() - expired + 1 - call.maxEvents());
        int position = before.countUntil(event.time);
        boolean isItselfDropped = position < expired + excess;
        int dropped = isItselfDropped ? position : expired + excess;
        long droppedUntil = before.droppedUntil();
        if (dropped > 0) {
            droppedUntil = Math.max(droppedUntil, before.time(dropped - 1));
        }
        if (isItselfDropped) {
            droppedUntil = Math.max(droppedUntil, event.time);
        }
        truncated.inc(excess);

        after.open(writer.add(before, event, position, dropped, droppedUntil));
        boolean isTruncated = evaluator.evaluate(after, event, position - dropped + 1, position - dropped, row);
        if (isItselfDropped) {
            memory.bytes = writer.withDroppedUntil(before, droppedUntil);
        } else {
            memory.bytes = writer.isWasteful(after) ? writer.compact(after) : after.bytes();
        }
        return isTruncated;
    }
}
