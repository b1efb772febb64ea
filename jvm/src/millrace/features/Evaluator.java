package millrace.features;

import java.util.Arrays;
import java.util.List;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/** Computes the features of one event over a {@link History}. */
final class Evaluator {

    /** Mean radius of the earth, of the IUGG. */
    private static final double EARTH_RADIUS_KM = 6371.0088;

    /**
     * A feature in terms of the layout.
     *
     * @param window place of its window among the windows
     * @param type type of the column, and so of the value of min, max and previous; null without a column
     * @param column its number or text column
     * @param secondColumn the longitude
     * @param flags flags that an event needs to count: the condition holds, the column has a value
     */
    private record Step(
            Feature feature, int window, LogicalTypeRoot type, int column, int secondColumn, long flags) {

        Aggregate aggregate() {
            return feature.aggregate();
        }

        boolean isText() {
            return type == LogicalTypeRoot.VARCHAR || type == LogicalTypeRoot.CHAR;
        }

        boolean isDouble() {
            return type == LogicalTypeRoot.DOUBLE || type == LogicalTypeRoot.FLOAT;
        }
    }

    private final Layout layout;
    private final long retentionMs;
    private final long[] windowsMs;
    private final int[] starts;
    private final Step[] steps;

    private History history;
    private Event event;
    private int end;
    private int self;
    private long reachesBackTo;
    private long[] seen = new long[64];
    private long seenRound;
    private long[] values = new long[64];
    private final WideSum wideSum = new WideSum();

    /** Number of values in the last sum. */
    private int counted;

    Evaluator(Layout layout, List<Feature> features, RowType row) {
        this.layout = layout;
        retentionMs = retentionMs(features);
        windowsMs = features.stream().mapToLong(Feature::windowMs).filter(ms -> ms > 0).distinct().sorted().toArray();
        starts = new int[windowsMs.length];
        steps = features.stream().map(feature -> step(feature, row)).toArray(Step[]::new);
    }

    /** Maximum time that features look back, in milliseconds. */
    static long retentionMs(List<Feature> features) {
        return features.stream()
                .mapToLong(feature -> feature.aggregate().windowed ? feature.windowMs() : Declaration.LONGEST_WINDOW_MS)
                .max()
                .orElseThrow();
    }

    private Step step(Feature feature, RowType row) {
        int window = Arrays.binarySearch(windowsMs, feature.windowMs());
        long flags = feature.where() == null ? 0 : layout.conditionFlag(feature.where());
        if (feature.columns().isEmpty()) {
            return new Step(feature, window, null, -1, -1, flags);
        }
        String column = feature.columns().get(0);
        LogicalTypeRoot type = row.getTypeAt(row.getFieldIndex(column)).getTypeRoot();
        boolean isText = type == LogicalTypeRoot.VARCHAR || type == LogicalTypeRoot.CHAR;
        int index = isText ? layout.textColumn(column) : layout.numberColumn(column);
        int secondIndex = feature.columns().size() > 1 ? layout.numberColumn(feature.columns().get(1)) : -1;
        if (feature.aggregate().windowed) {
            flags |= isText ? layout.textFlag(index) : layout.numberFlag(index);
        }
        return new Step(feature, window, type, index, secondIndex, flags);
    }

    /**
     * Fill the first fields of {@code row}, one a feature.
     *
     * @param ofEvent the event whose features these are
     * @param untilEvent number of events of the history that are not later than it
     * @param itsPlace place of the event itself in the history, or of the event that it duplicates
     * @return whether a dropped event might have counted
     */
    boolean evaluate(History of, Event ofEvent, int untilEvent, int itsPlace, GenericRowData row) {
        history = of;
        event = ofEvent;
        end = untilEvent;
        self = itsPlace;
        reachesBackTo = event.time;
        for (int window = 0; window < windowsMs.length; window++) {
            reachesBackTo = event.time - windowsMs[window];
            starts[window] = Math.min(end, history.countUntil(reachesBackTo));
        }
        for (int i = 0; i < steps.length; i++) {
            row.setField(i, value(steps[i]));
        }
        return history.droppedUntil() > reachesBackTo;
    }

    private Object value(Step step) {
        int start = step.aggregate().windowed ? starts[step.window] : 0;
        return switch (step.aggregate()) {
            case COUNT -> step.flags == 0 ? (long) (end - start) : count(step, start);
            case SUM -> sum(step, start);
            case MIN -> extreme(step, start, false);
            case MAX -> extreme(step, start, true);
            case AVG -> average(step, start);
            case DISTINCT -> distinct(step, start);
            case RECENT -> recent(step, start);
            case PREVIOUS, SECONDS_SINCE_PREVIOUS, DISTANCE_KM_FROM_PREVIOUS -> ofPrevious(step);
        };
    }

    private boolean counts(int index, Step step) {
        return (history.flags(index) & step.flags) == step.flags;
    }

    private long count(Step step, int start) {
        long count = 0;
        for (int i = start; i < end; i++) {
            count += counts(i, step) ? 1 : 0;
        }
        return count;
    }

    private Object sum(Step step, int start) {
        return step.isDouble() ? (Object) sumDoubles(step, start) : (Object) sumIntegers(step, start).saturated();
    }

    private Object average(Step step, int start) {
        double sum = step.isDouble() ? sumDoubles(step, start) : sumIntegers(step, start).asDouble();
        return counted == 0 ? null : sum / counted;
    }

    private double sumDoubles(Step step, int start) {
        double sum = 0;
        counted = 0;
        for (int i = start; i < end; i++) {
            if (counts(i, step)) {
                sum += Double.longBitsToDouble(history.number(i, step.column));
                counted++;
            }
        }
        return sum;
    }

    private WideSum sumIntegers(Step step, int start) {
        wideSum.clear();
        counted = 0;
        for (int i = start; i < end; i++) {
            if (counts(i, step)) {
                wideSum.add(history.number(i, step.column));
                counted++;
            }
        }
        return wideSum;
    }

    private Object extreme(Step step, int start, boolean greatest) {
        int best = -1;
        for (int i = start; i < end; i++) {
            if (counts(i, step) && (best < 0 || isBeyond(step, i, best, greatest))) {
                best = i;
            }
        }
        return best < 0 ? null : number(step, best);
    }

    private boolean isBeyond(Step step, int index, int best, boolean greatest) {
        long left = history.number(index, step.column);
        long right = history.number(best, step.column);
        int order =
                step.isDouble()
                        ? Double.compare(Double.longBitsToDouble(left), Double.longBitsToDouble(right))
                        : Long.compare(left, right);
        return greatest ? order > 0 : order < 0;
    }

    /** Number of distinct values: ids are distinct already, texts differ by their code, numbers by their bits. */
    private long distinct(Step step, int start) {
        if (!step.isText()) {
            return distinctNumbers(step, start);
        }
        return step.column == 0 ? count(step, start) : distinctCodes(step, start);
    }

    private long distinctCodes(Step step, int start) {
        int size = history.dictionarySize(step.column);
        if (seen.length < size) {
            seen = new long[2 * size];
        }
        seenRound++;
        long distinct = 0;
        for (int i = start; i < end; i++) {
            if (counts(i, step)) {
                int code = history.code(i, step.column);
                distinct += seen[code] == seenRound ? 0 : 1;
                seen[code] = seenRound;
            }
        }
        return distinct;
    }

    private long distinctNumbers(Step step, int start) {
        if (values.length < end - start) {
            values = new long[2 * (end - start)];
        }
        int size = 0;
        for (int i = start; i < end; i++) {
            if (counts(i, step)) {
                values[size++] = history.number(i, step.column);
            }
        }
        Arrays.sort(values, 0, size);
        long distinct = 0;
        for (int i = 0; i < size; i++) {
            distinct += i == 0 || values[i] != values[i - 1] ? 1 : 0;
        }
        return distinct;
    }

    private Object recent(Step step, int start) {
        Object[] latest = new Object[Math.min(step.feature.limit(), end - start)];
        int free = latest.length;
        for (int i = end - 1; i >= start && free > 0; i--) {
            if (counts(i, step)) {
                latest[--free] = text(step, i);
            }
        }
        // Never NULL: PyFlink can't pass a missing array to a Python function.
        return new GenericArrayData(Arrays.copyOfRange(latest, free, latest.length));
    }

    private Object ofPrevious(Step step) {
        int index = end - 1;
        while (index >= 0 && (index == self || !counts(index, step))) {
            index--;
        }
        reachesBackTo = Math.min(reachesBackTo, index < 0 ? event.time - retentionMs - 1 : history.time(index));
        if (index < 0) {
            return null;
        }
        return switch (step.aggregate()) {
            case SECONDS_SINCE_PREVIOUS -> (event.time - history.time(index)) / 1000.0;
            case DISTANCE_KM_FROM_PREVIOUS -> distanceKm(step, index);
            default -> column(step, index);
        };
    }

    /** Distance by the haversine formula. */
    private Double distanceKm(Step step, int index) {
        long place = layout.numberFlag(step.column) | layout.numberFlag(step.secondColumn);
        if ((event.flags & place) != place || (history.flags(index) & place) != place) {
            return null;
        }
        double latitude = radians(event.numbers[step.column], step.column);
        double itsLatitude = radians(history.number(index, step.column), step.column);
        double longitude = radians(event.numbers[step.secondColumn], step.secondColumn);
        double itsLongitude = radians(history.number(index, step.secondColumn), step.secondColumn);
        double north = Math.sin((latitude - itsLatitude) / 2);
        double east = Math.sin((longitude - itsLongitude) / 2);
        double haversine = north * north + Math.cos(latitude) * Math.cos(itsLatitude) * east * east;
        return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(haversine)));
    }

    private double radians(long degrees, int column) {
        return Math.toRadians(layout.isDouble(column) ? Double.longBitsToDouble(degrees) : degrees);
    }

    private Object column(Step step, int index) {
        if (step.isText()) {
            return history.has(index, layout.textFlag(step.column)) ? text(step, index) : null;
        }
        return history.has(index, layout.numberFlag(step.column)) ? number(step, index) : null;
    }

    private StringData text(Step step, int index) {
        int at = history.textAt(index, step.column);
        return BinaryStringData.fromBytes(history.bytes(), at, history.textLength(index, step.column, at));
    }

    /** The number as Flink's own object of the column's type. */
    private Object number(Step step, int index) {
        long number = history.number(index, step.column);
        return switch (step.type) {
            case TINYINT -> (Object) (byte) number;
            case SMALLINT -> (Object) (short) number;
            case INTEGER -> (Object) (int) number;
            case BIGINT -> (Object) number;
            case FLOAT -> (Object) (float) Double.longBitsToDouble(number);
            default -> (Object) Double.longBitsToDouble(number);
        };
    }
}
