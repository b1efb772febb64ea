package millrace.features;

import java.util.List;
import millrace.features.Feature.Where;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/** Reads the values that a {@link Layout} stores of an event from a row of the input. */
final class EventReader {

    private record Condition(int column, StringData text, long flag) {}

    private final Layout layout;
    private final int timeColumn;
    private final Counter oversizedTexts;
    private final int[] textColumns;
    private final int[] numberColumns;
    private final LogicalTypeRoot[] numberTypes;
    private final Condition[] conditions;

    /**
     * @param timeColumn place of the row time in the row
     * @param oversizedTexts counts the texts that were read as NULL because they are too long
     */
    EventReader(Layout layout, List<Feature> features, RowType row, int timeColumn, Counter oversizedTexts) {
        this.layout = layout;
        this.timeColumn = timeColumn;
        this.oversizedTexts = oversizedTexts;
        textColumns = new int[layout.texts];
        numberColumns = new int[layout.numbers];
        numberTypes = new LogicalTypeRoot[layout.numbers];
        for (int i = 0; i < textColumns.length; i++) {
            textColumns[i] = row.getFieldIndex(layout.column(i));
        }
        for (int i = 0; i < numberColumns.length; i++) {
            numberColumns[i] = row.getFieldIndex(layout.column(layout.texts + i));
            numberTypes[i] = row.getTypeAt(numberColumns[i]).getTypeRoot();
        }
        conditions =
                features.stream()
                        .map(Feature::where)
                        .filter(where -> where != null)
                        .distinct()
                        .map(where -> condition(where, row))
                        .toArray(Condition[]::new);
    }

    private Condition condition(Where where, RowType row) {
        StringData text = StringData.fromString(where.value());
        return new Condition(row.getFieldIndex(where.column()), text, layout.conditionFlag(where));
    }

    void read(RowData row, Event event) {
        event.time = row.getTimestamp(timeColumn, 3).getMillisecond();
        event.flags = 0;
        for (int i = 0; i < textColumns.length; i++) {
            event.texts[i] = row.isNullAt(textColumns[i]) ? null : text(row, textColumns[i]);
            event.flags |= event.texts[i] == null ? 0 : layout.textFlag(i);
        }
        for (int i = 0; i < numberColumns.length; i++) {
            boolean hasValue = !row.isNullAt(numberColumns[i]);
            event.numbers[i] = hasValue ? number(row, numberColumns[i], numberTypes[i]) : 0;
            event.flags |= hasValue ? layout.numberFlag(i) : 0;
        }
        for (Condition condition : conditions) {
            if (matches(row, condition)) {
                event.flags |= condition.flag;
            }
        }
    }

    private byte[] text(RowData row, int column) {
        byte[] text = row.getString(column).toBytes();
        if (text.length > History.LONGEST_TEXT) {
            oversizedTexts.inc();
            return null;
        }
        return text;
    }

    /** The integer, or the bits of the double, so that equal numbers have equal bits. */
    private static long number(RowData row, int column, LogicalTypeRoot type) {
        return switch (type) {
            case TINYINT -> row.getByte(column);
            case SMALLINT -> row.getShort(column);
            case INTEGER -> row.getInt(column);
            case BIGINT -> row.getLong(column);
            case FLOAT -> Double.doubleToLongBits(row.getFloat(column) + 0.0);
            default -> Double.doubleToLongBits(row.getDouble(column) + 0.0);
        };
    }

    private static boolean matches(RowData row, Condition condition) {
        return !row.isNullAt(condition.column) && condition.text.equals(row.getString(condition.column));
    }
}
