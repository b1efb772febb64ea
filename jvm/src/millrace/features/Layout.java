package millrace.features;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.flink.table.api.ValidationException;

/**
 * Stored columns of an event, derived from the declaration: its id, the text and number columns that features read of
 * earlier events, and for each {@code where} whether the event matches. Its text form is part of every state value, so
 * that a value written under another declaration is read correctly.
 *
 * <p>Columns are ordered by name: the order of the features doesn't matter. A column's or condition's place in
 * {@link #lines} is its bit in an event's flags: has a value, or matches.
 */
final class Layout {

    private static final String ID = "id ";
    private static final String TEXT = "text ";
    private static final String INTEGER = "integer ";
    private static final String DOUBLE = "double ";
    private static final String WHERE = "where ";
    private static final int MOST_FLAGS = Long.SIZE;

    /** One line for each column or condition: the id, text columns, number columns, conditions. */
    final List<String> lines;

    /** Number of text columns with the id, which is the first. */
    final int texts;

    final int numbers;
    final int conditions;

    /** The lines as they are written in a state value. */
    final byte[] header;

    private Layout(List<String> lines) {
        this.lines = lines;
        this.texts = count(ID) + count(TEXT);
        this.numbers = count(INTEGER) + count(DOUBLE);
        this.conditions = count(WHERE);
        this.header = String.join("\n", lines).getBytes(StandardCharsets.UTF_8);
    }

    private int count(String prefix) {
        return (int) lines.stream().filter(line -> line.startsWith(prefix)).count();
    }

    /** Layout of the columns that these features need, with {@code id} as the column that identifies events. */
    static Layout of(List<Feature> features, String id, Map<String, ColumnKind> columns) {
        TreeSet<String> texts = new TreeSet<>();
        TreeSet<String> numbers = new TreeSet<>();
        TreeSet<String> conditions = new TreeSet<>();
        for (Feature feature : features) {
            for (String column : feature.columns()) {
                switch (columns.get(column)) {
                    case TEXT -> texts.add(TEXT + column);
                    case INTEGER -> numbers.add(INTEGER + column);
                    default -> numbers.add(DOUBLE + column);
                }
            }
            if (feature.where() != null) {
                conditions.add(WHERE + feature.where());
            }
        }
        texts.remove(TEXT + id);
        List<String> lines = new ArrayList<>(List.of(ID + id));
        lines.addAll(texts);
        lines.addAll(numbers);
        lines.addAll(conditions);
        if (lines.size() > MOST_FLAGS) {
            throw new ValidationException(
                    "the features use " + lines.size() + " columns and conditions; at most " + MOST_FLAGS
                            + " can be remembered: split the declaration between two calls");
        }
        return new Layout(lines);
    }

    /** The layout that is written in a state value. */
    static Layout written(byte[] value, int from, int length) {
        String text = new String(value, from, length, StandardCharsets.UTF_8);
        return new Layout(Arrays.asList(text.split("\n")));
    }

    /** Index among the text columns; the id is 0. */
    int textColumn(String column) {
        return lines.contains(ID + column) ? 0 : lines.indexOf(TEXT + column);
    }

    /** Index among the number columns. */
    int numberColumn(String column) {
        return Math.max(lines.indexOf(INTEGER + column), lines.indexOf(DOUBLE + column)) - texts;
    }

    /** Whether a number column holds the bits of doubles. */
    boolean isDouble(int numberColumn) {
        return lines.get(texts + numberColumn).startsWith(DOUBLE);
    }

    /** Name of the column of a line. */
    String column(int line) {
        return lines.get(line).substring(lines.get(line).indexOf(' ') + 1);
    }

    /** Flag of a text column: set if it has a value. */
    long textFlag(int textColumn) {
        return 1L << textColumn;
    }

    /** Flag of a number column: set if it has a value. */
    long numberFlag(int numberColumn) {
        return 1L << (texts + numberColumn);
    }

    /** Flag of a condition: set if it holds. */
    long conditionFlag(Feature.Where where) {
        return 1L << lines.indexOf(WHERE + where);
    }

    /** Number of bytes of an event's flags. */
    int flagBytes() {
        return (lines.size() + 7) / 8;
    }

    /** Returns whether {@code older} has all that this layout stores. */
    boolean isWithin(Layout older) {
        return older.lines.containsAll(lines);
    }
}
