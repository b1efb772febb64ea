package millrace.versions;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
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
 * The SQL function {@code join_versions}: each row with the version that was valid at its moment, and again if that
 * turns out to be another one.
 *
 * <pre>
 * SELECT …
 * FROM join_versions(
 *     input =&gt; TABLE order_lines PARTITION BY product_id,
 *     versions =&gt; TABLE product_changes PARTITION BY product_id,
 *     moment =&gt; 'placed_ms',
 *     version =&gt; 'lsn',
 *     valid_from =&gt; 'valid_from_ms',
 *     deleted =&gt; 'deleted',
 *     hours =&gt; 24,
 *     uid =&gt; 'order-products')
 * </pre>
 *
 * <p>A row is emitted when the watermark has passed its {@code moment} (milliseconds), or at once if it had before: the
 * input's columns, the columns of the version with the greatest number {@code version} of those with {@code valid_from}
 * up to that moment, and {@code found_later}, which is FALSE. If there was no such version, or it is {@code deleted},
 * the version's columns are NULL.
 *
 * <p>Then the first version after the moment is used: if it is valid within {@code hours} and isn't deleted, the row is
 * emitted once more with that one and {@code found_later} TRUE.
 *
 * <p>A version that arrives after the watermark has passed rows that it was valid for corrects them: for {@code hours}
 * after its moment, in event time, a row is emitted again if its valid version, or the one that was found later, is no
 * longer the one that it was last emitted with; with NULLs if there is none any more. That is done when the watermark
 * advances, so that a table that catches up causes one correction a row and not one for each of its versions. The last
 * row emitted doesn't depend on the order of arrival, except for versions that arrive later than {@code hours}.
 *
 * <p>Versions of a key are read in the order of their numbers; one whose number isn't greater than all before was seen,
 * and is ignored. If a clock was set back, a version is valid from an earlier time than one before it: the one before
 * is never valid then, and is removed.
 *
 * <p>State: the last version of each key, for ever; its versions and rows of the last {@code hours}, which a sweep
 * removes at most an eighth of that later.
 */
public final class JoinVersions extends ProcessTableFunction<RowData> implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private static final String SWEEP = "sweep";
    private static final String REVISE = "revise";

    private final JoinVersionsCall call;

    private transient StateHead head;
    private transient RowDataSerializer inputSerializer;
    private transient RowDataSerializer versionSerializer;
    private transient RowData.FieldGetter[] inputGetters;
    private transient RowData.FieldGetter[] versionGetters;
    private transient long patienceMs;
    private transient long pauseMs;
    private transient Counter ignored;
    private transient Counter lateVersions;
    private transient Counter corrected;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public JoinVersions() {
        this(null);
    }

    private JoinVersions(JoinVersionsCall call) {
        this.call = call;
    }

    /** State of a key, beside its rows and its versions that are not in the head. */
    public static final class Memory {
        /** A {@link StateHead}; null for a key that was never seen. */
        public byte[] bytes;
    }

    /** The valid version of a moment, and the one that was found later; null if there is none. */
    private record Found(Version valid, Version later, boolean isOpen) {}

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new JoinVersions(JoinVersionsCall.of(context.getCallContext()));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put("head", new Lasting(DataTypes.STRUCTURED(Memory.class, DataTypes.FIELD("bytes", DataTypes.BYTES()))));
        DataType map = MapView.newMapViewDataType(DataTypes.BIGINT().notNull(), DataTypes.BYTES().notNull());
        state.put("rows", new Lasting(map));
        state.put("others", new Lasting(map));
        return TypeInference.newBuilder()
                .staticArguments(call == null ? JoinVersionsCall.anyArguments() : call.itsArguments())
                .stateTypeStrategies(state)
                .outputTypeStrategy(context -> Optional.of(JoinVersionsCall.of(context).outputType()))
                .build();
    }

    /** State without a time to live, whatever the job's settings: sweeps remove what isn't needed any more. */
    private record Lasting(DataType type) implements StateTypeStrategy {

        @Override
        public Optional<DataType> inferType(CallContext context) {
            return Optional.of(type);
        }

        @Override
        public Optional<Duration> getTimeToLive(CallContext context) {
            return Optional.of(Duration.ZERO);
        }
    }

    @Override
    public void open(FunctionContext context) {
        head = new StateHead(call);
        inputSerializer = new RowDataSerializer(call.input());
        versionSerializer = new RowDataSerializer(call.versions());
        inputGetters = getters(call.input(), call.inputColumns());
        versionGetters = getters(call.versions(), call.versionColumns());
        patienceMs = Duration.ofHours(call.hours()).toMillis();
        pauseMs = patienceMs / 8;
        ignored = context.getMetricGroup().counter("ignored_versions");
        lateVersions = context.getMetricGroup().counter("late_versions");
        corrected = context.getMetricGroup().counter("corrected_rows");
    }

    private static RowData.FieldGetter[] getters(RowType row, int[] columns) {
        RowData.FieldGetter[] getters = new RowData.FieldGetter[columns.length];
        for (int each = 0; each < columns.length; each++) {
            getters[each] = RowData.createFieldGetter(row.getTypeAt(columns[each]), columns[each]);
        }
        return getters;
    }

    /** Called for each row of either table; the others are constants of the {@link JoinVersionsCall}. */
    public void eval(
            Context context,
            Memory memory,
            MapView<Long, byte[]> rows,
            MapView<Long, byte[]> others,
            RowData input,
            RowData versions,
            StringData moment,
            StringData version,
            StringData validFrom,
            StringData deleted,
            Integer hours)
            throws Exception {
        head.open(memory.bytes);
        TimeContext<Long> time = context.timeContext(Long.class);
        if (input != null) {
            take(input, rows, others, time);
        } else {
            addVersion(versions, others, time);
        }
        memory.bytes = head.bytes();
    }

    /** Called when the watermark has passed a moment, a version was late, or state can be removed. */
    public void onTimer(
            OnTimerContext context, Memory memory, MapView<Long, byte[]> rows, MapView<Long, byte[]> others)
            throws Exception {
        head.open(memory.bytes);
        TimeContext<Long> time = context.timeContext(Long.class);
        if (SWEEP.equals(context.currentTimer())) {
            sweep(rows, others, time);
        } else if (REVISE.equals(context.currentTimer())) {
            revise(rows, others, time);
        } else {
            join(time.time(), rows, others);
        }
        memory.bytes = head.bytes();
    }

    private void take(RowData input, MapView<Long, byte[]> rows, MapView<Long, byte[]> others, TimeContext<Long> time)
            throws Exception {
        long moment = input.getLong(call.moment());
        Joined row = new Joined(Bytes.of(input, inputSerializer));
        if (moment > watermark(time)) {
            time.registerOnTime(moment);
        } else {
            send(row, find(moment, others), moment);
            if (moment <= watermark(time) - patienceMs) {
                return;
            }
        }
        List<Joined> ofThatMoment = Joined.read(rows.get(moment));
        ofThatMoment.add(row);
        rows.put(moment, Joined.write(ofThatMoment));
        sweepLater(time, moment);
    }

    private void addVersion(RowData input, MapView<Long, byte[]> others, TimeContext<Long> time) throws Exception {
        Version version = new Version(Bytes.of(input, versionSerializer), call);
        if (version.number <= head.greatest) {
            ignored.inc();
            return;
        }
        head.greatest = version.number;
        boolean isSetBack = keep(version, others);
        // Versions that rows in time no longer need are moved to where only late rows look.
        List<Version> known = head.versions;
        while (known.size() > 1 && known.get(1).validFrom <= watermark(time)) {
            Version replaced = known.remove(0);
            others.put(replaced.number, replaced.bytes);
            sweepLater(time, known.get(0).validFrom);
        }
        boolean isLate = version.validFrom <= head.joinedUntil;
        if (isLate) {
            lateVersions.inc();
        }
        if (isLate || isSetBack || head.isOpen) {
            // A restored job has no watermark at first.
            time.registerOnTime(REVISE, Math.max(watermark(time) + 1, 0));
        }
    }

    /**
     * Adds a version, and removes those with a later time, which it replaces; whether rows may have found one of them.
     */
    private boolean keep(Version version, MapView<Long, byte[]> others) throws Exception {
        List<Version> known = head.versions;
        if (version.validFrom >= head.othersFrom) {
            // If it replaces some of those, they are removed before a row looks at them.
            others.put(version.number, version.bytes);
            return false;
        }
        boolean isSetBack = known.removeIf(each -> each.validFrom > version.validFrom);
        known.add(version);
        if (head.othersFrom != StateHead.NEVER) {
            isSetBack = true;
            all(others);
            head.othersFrom = StateHead.NEVER;
        }
        if (known.size() > StateHead.MOST) {
            Version last = known.remove(StateHead.MOST);
            others.put(last.number, last.bytes);
            head.othersFrom = last.validFrom;
        }
        return isSetBack;
    }

    /** Emits the rows of a moment that the watermark has just passed. */
    private void join(long moment, MapView<Long, byte[]> rows, MapView<Long, byte[]> others) throws Exception {
        List<Joined> waiting = Joined.read(rows.get(moment));
        for (Joined row : waiting) {
            if (!row.isOut) {
                send(row, find(moment, others), moment);
            }
        }
        if (!waiting.isEmpty()) {
            rows.put(moment, Joined.write(waiting));
        }
    }

    private void send(Joined row, Found found, long moment) {
        row.isOut = true;
        row.valid = number(found.valid);
        row.later = number(found.later);
        head.joinedUntil = Math.max(head.joinedUntil, moment);
        head.isOpen |= found.isOpen;
        collect(output(row, found.valid, false));
        if (found.later != null) {
            collect(output(row, found.later, true));
        }
    }

    /** Emits rows again whose versions are no longer those that they were emitted with. */
    private void revise(MapView<Long, byte[]> rows, MapView<Long, byte[]> others, TimeContext<Long> time)
            throws Exception {
        List<Version> all = all(others);
        Map<Long, byte[]> changed = new LinkedHashMap<>();
        head.isOpen = false;
        for (Map.Entry<Long, byte[]> entry : rows.entries()) {
            long moment = entry.getKey();
            if (moment <= time.time() - patienceMs) {
                continue;
            }
            List<Joined> joined = Joined.read(entry.getValue());
            Found found = find(moment, all);
            boolean isChanged = false;
            for (Joined row : joined) {
                if (row.isOut) {
                    head.isOpen |= found.isOpen;
                    isChanged |= correct(row, found);
                }
            }
            if (isChanged) {
                changed.put(moment, Joined.write(joined));
            }
        }
        rows.putAll(changed);
    }

    private boolean correct(Joined row, Found found) {
        boolean isOtherwise = row.valid != number(found.valid);
        boolean isFoundOtherwise = row.later != number(found.later);
        if (isOtherwise) {
            row.valid = number(found.valid);
            collect(output(row, found.valid, false));
            corrected.inc();
        }
        if (isFoundOtherwise) {
            row.later = number(found.later);
            collect(output(row, found.later, true));
        }
        return isOtherwise || isFoundOtherwise;
    }

    private void sweep(MapView<Long, byte[]> rows, MapView<Long, byte[]> others, TimeContext<Long> time)
            throws Exception {
        long until = time.time() - patienceMs;
        List<Long> moments = new ArrayList<>();
        for (Long moment : rows.keys()) {
            moments.add(moment);
        }
        for (Long moment : moments) {
            if (moment <= until) {
                rows.remove(moment);
            }
        }
        if (head.othersFrom <= until) {
            goOn(until, others);
        }
        List<Version> all = all(others);
        int before = head.versions.isEmpty() ? 0 : all.indexOf(head.versions.get(0));
        int forgotten = 0;
        // The version that was valid then stays, and all after it.
        while (forgotten < before && all.get(forgotten + 1).validFrom <= until) {
            others.remove(all.get(forgotten).number);
            forgotten++;
        }
        head.sweepAt = 0;
        if (forgotten < before || head.othersFrom != StateHead.NEVER || !rows.isEmpty()) {
            sweepLater(time, until);
        }
    }

    /** Sets a sweep for the time when state of that moment can be removed, unless an earlier one is set. */
    private void sweepLater(TimeContext<Long> time, long moment) {
        if (head.sweepAt == 0) {
            head.sweepAt = Math.max(moment + patienceMs, watermark(time)) + pauseMs;
            time.registerOnTime(SWEEP, head.sweepAt);
        }
    }

    private static long watermark(TimeContext<Long> time) {
        Long watermark = time.currentWatermark();
        return watermark == null ? Long.MIN_VALUE : watermark;
    }

    private static long number(Version version) {
        return version == null ? Joined.NONE : version.number;
    }

    /** Finds versions; others than those in the head are read only if necessary, since that takes long. */
    private Found find(long moment, MapView<Long, byte[]> others) throws Exception {
        List<Version> known = head.versions;
        if (known.isEmpty() || known.get(0).validFrom > moment) {
            return find(moment, all(others));
        }
        if (head.othersFrom != StateHead.NEVER && known.get(known.size() - 1).validFrom <= moment) {
            goOn(moment, others);
        }
        return find(moment, head.versions);
    }

    /** Puts into the head the versions that rows from this moment on need; there are some after those in it now. */
    private void goOn(long moment, MapView<Long, byte[]> others) throws Exception {
        List<Version> all = all(others);
        int from = 0;
        while (from + 1 < all.size() && all.get(from + 1).validFrom <= moment) {
            from++;
        }
        int to = Math.min(from + StateHead.MOST, all.size());
        for (Version version : head.versions) {
            others.put(version.number, version.bytes);
        }
        head.versions.clear();
        head.versions.addAll(all.subList(from, to));
        for (Version version : head.versions) {
            others.remove(version.number);
        }
        head.othersFrom = to < all.size() ? all.get(to).validFrom : StateHead.NEVER;
    }

    private Found find(long moment, List<Version> versions) {
        int next = 0;
        int end = versions.size();
        while (next < end) {
            int middle = (next + end) >>> 1;
            if (versions.get(middle).validFrom <= moment) {
                next = middle + 1;
            } else {
                end = middle;
            }
        }
        if (next > 0 && !versions.get(next - 1).isDeleted) {
            return new Found(versions.get(next - 1), null, false);
        }
        if (next == versions.size()) {
            return new Found(null, null, true);
        }
        Version following = versions.get(next);
        boolean isFound = !following.isDeleted && following.validFrom <= moment + patienceMs;
        return new Found(null, isFound ? following : null, false);
    }

    /** All versions, in the head or not, by time; those that are never valid are removed. */
    private List<Version> all(MapView<Long, byte[]> others) throws Exception {
        List<Version> all = new ArrayList<>(head.versions);
        for (byte[] bytes : others.values()) {
            all.add(new Version(bytes, call));
        }
        Collections.sort(all);
        long greatest = Long.MIN_VALUE;
        for (Version version : List.copyOf(all)) {
            if (version.number < greatest) {
                all.remove(version);
                others.remove(version.number);
                head.versions.remove(version);
            }
            greatest = Math.max(greatest, version.number);
        }
        return all;
    }

    private GenericRowData output(Joined joined, Version version, boolean isFoundLater) {
        RowData row = joined.row(call);
        GenericRowData output = new GenericRowData(inputGetters.length + versionGetters.length + 1);
        for (int each = 0; each < inputGetters.length; each++) {
            output.setField(each, inputGetters[each].getFieldOrNull(row));
        }
        for (int each = 0; version != null && each < versionGetters.length; each++) {
            output.setField(inputGetters.length + each, versionGetters[each].getFieldOrNull(version.row));
        }
        output.setField(inputGetters.length + versionGetters.length, isFoundLater);
        return output;
    }
}
