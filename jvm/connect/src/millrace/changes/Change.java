package millrace.changes;

import java.util.LinkedHashMap;
import java.util.Map;

import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;

/**
 * A change of a row as Debezium tells it.
 *
 * @param source schema and table
 * @param op c, u, d; t for a TRUNCATE
 * @param lsn position in the write-ahead log, null if Debezium doesn't know it
 * @param time when it was committed, in UTC milliseconds; null if Debezium doesn't know it
 * @param before the row as it was, null if it wasn't there or isn't known
 * @param after the row as it is, null if it isn't there
 */
record Change(String source, String op, Long lsn, Long time, Map<String, Object> before, Map<String, Object> after) {

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

    /** The row that the change is about: as it is, or as it was before it was deleted. */
    Map<String, Object> row() {
        return isDeletion() ? before : after;
    }

    private static Map<String, Object> fields(Struct row) {
        if (row == null) {
            return null;
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        for (Field field : row.schema().fields()) {
            // Struct.get would answer a column's default where the row has NULL.
            fields.put(field.name(), plain(row.getWithoutDefault(field.name())));
        }
        return fields;
    }

    /** What JSON has no word for becomes text: then whoever needs a number there refuses it, and can read it. */
    private static Object plain(Object value) {
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
