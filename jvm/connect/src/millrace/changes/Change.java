package millrace.changes;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;

/**
 * A change of a row as Debezium emits it.
 *
 * @param source schema and table
 * @param op c, u, d; t for a TRUNCATE
 * @param lsn position in the write-ahead log, null if Debezium doesn't know it
 * @param time when it was committed, in UTC milliseconds; null if Debezium doesn't know it
 * @param before the row before the change, null if it didn't exist or isn't known
 * @param after the row after the change, null if it doesn't exist
 */
record Change(String source, String op, Long lsn, Long time, Map<String, Object> before, Map<String, Object> after) {

    /** Value in place of a time that is infinite or after the year 9999. */
    static final String BEYOND_TIME = "__millrace_beyond_time";

    private static final Pattern MORE_THAN_FOUR_DIGITS = Pattern.compile("[+-]\\d{5,}-");

    static Change of(Struct envelope) {
        Struct source = envelope.getStruct("source");
        return new Change(
                source.getString("schema") + "." + source.getString("table"),
                envelope.getString("op"),
                source.getInt64("lsn"),
                source.getInt64("ts_ms"),
                fields(envelope.getStruct("before")),
                fields(envelope.getStruct("after")));
    }

    boolean isDeletion() {
        return op.equals("d");
    }

    /** The changed row: after the change or, if it was deleted, before it. */
    Map<String, Object> row() {
        return isDeletion() ? before : after;
    }

    private static Map<String, Object> fields(Struct row) {
        if (row == null) {
            return null;
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        for (Field field : row.schema().fields()) {
            // Struct.get would return a column's default where the row has NULL.
            Object value = row.getWithoutDefault(field.name());
            fields.put(field.name(), isBeyondTime(value, field.schema()) ? BEYOND_TIME : plain(value));
        }
        return fields;
    }

    /** Debezium writes infinity as a day in hundreds of thousands of years, a different one for each type. */
    private static boolean isBeyondTime(Object value, Schema schema) {
        return value instanceof String text
                && schema.name() != null
                && schema.name().startsWith("io.debezium.time.")
                && MORE_THAN_FOUR_DIGITS.matcher(text).lookingAt();
    }

    /**
     * Converts a value: bytes become base64, lists and structures those of JSON. Values without a form in JSON become
     * text: a reader that needs a number there rejects it, and its dead letter is readable.
     */
    private static Object plain(Object value) {
        if (value instanceof ByteBuffer buffer) {
            return Base64.getEncoder().encodeToString(Utils.toArray(buffer.duplicate()));
        }
        if (value instanceof byte[] bytes) {
            return Base64.getEncoder().encodeToString(bytes);
        }
        if (value instanceof List<?> list) {
            List<Object> elements = new ArrayList<>();
            list.forEach(element -> elements.add(plain(element)));
            return elements;
        }
        if (value instanceof Struct struct) {
            return fields(struct);
        }
        boolean isPlain =
                value == null
                        || value instanceof String
                        || value instanceof Boolean
                        || value instanceof Long
                        || value instanceof Integer
                        || value instanceof Short
                        || value instanceof Double
                        || value instanceof Float;
        return isPlain ? value : value.toString();
    }
}
