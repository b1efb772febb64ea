package millrace.changes;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Turns each change that Debezium captures into an event: the row's new version.
 *
 * <p>The record's key is the primary key as text, its timestamp the time of the change. A change that can't be
 * expressed as an event becomes a record, too, with the reason in its field {@code problem}; since it has none of the
 * fields that an event must have, every reader rejects it as a dead letter. Only what is no change is left out: the
 * clearing of relay tables.
 */
public final class RowVersion implements Transformation<SourceRecord> {

    static final String TABLES = "tables";

    private static final String UNAVAILABLE = "__debezium_unavailable_value";
    private static final int MOST_CHARACTERS = 150_000; // 6 bytes each at worst, and a record has 1 MB
    private static final int SHOWN_CHARACTERS = 2_000;

    private Map<String, CapturedTable> tables;

    @Override
    public ConfigDef config() {
        return new ConfigDef()
                .define(
                        TABLES,
                        ConfigDef.Type.LIST,
                        ConfigDef.Importance.HIGH,
                        "Tables, each with its topic, event type, primary key and perhaps its relay table.");
    }

    @Override
    public void configure(Map<String, ?> settings) {
        List<String> declarations = new AbstractConfig(config(), settings, false).getList(TABLES);
        tables = CapturedTable.byName(declarations);
    }

    @Override
    public SourceRecord apply(SourceRecord record) {
        if (!(record.value() instanceof Struct envelope) || envelope.schema().field("source") == null) {
            throw new ConnectException("a record of " + record.topic() + " is no change of a row: " + record.value());
        }
        Change change = Change.of(envelope);
        CapturedTable table = tables.get(change.source());
        if (table == null) {
            throw new ConnectException(change.source() + " is captured, but not among the " + TABLES + " with a topic");
        }
        boolean isRelayed = table.isRelayedBy(change.source());
        if (isRelayed && !change.op().equals("c")) {
            return null;
        }
        String problem = problem(change, table);
        Map<String, Object> value = problem == null ? event(change, table, isRelayed) : complaint(change, problem);
        return record.newRecord(
                table.topic(),
                null,
                Schema.OPTIONAL_STRING_SCHEMA,
                key(change, table),
                null,
                value,
                change.time() == null ? record.timestamp() : change.time(),
                new ConnectHeaders());
    }

    private static Map<String, Object> event(Change change, CapturedTable table, boolean isRelayed) {
        Map<String, Object> row = change.row();
        String op = isRelayed ? String.valueOf(row.get("op")) : change.op();
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("event_id", table.shortName() + "-" + key(change, table) + "-" + change.lsn());
        event.put("event_type", table.eventType());
        event.put("event_time", change.time());
        event.put("op", op);
        event.put("lsn", change.lsn());
        event.put("deleted", op.equals("d"));
        row.forEach(event::putIfAbsent);
        return event;
    }

    /** Why a change can't be expressed as an event, or null if it can. */
    private static String problem(Change change, CapturedTable table) {
        String name = table.name();
        if (change.op().equals("t")) {
            return "TRUNCATE of " + name + ": which rows are gone isn't known";
        }
        if (change.lsn() == null || change.time() == null) {
            return "Debezium doesn't say when " + name + " changed";
        }
        Map<String, Object> row = change.row();
        if (row == null) {
            return "the row of " + name + " isn't in the change" + identity(name);
        }
        Object key = row.get(table.primaryKey());
        if (key == null) {
            return "the row of " + name + " has no " + table.primaryKey();
        }
        Map<String, Object> before = change.before();
        if (before != null && !isBlank(before, table) && !key.equals(before.get(table.primaryKey()))) {
            return table.primaryKey() + " of " + name + " changed, and isn't the primary key there";
        }
        if (change.isDeletion() && isBlank(row, table)) {
            return "the row of " + name + " that was deleted isn't in the change" + identity(name);
        }
        if (row.containsValue(UNAVAILABLE)) {
            return "a long value of " + name + " that stayed the same isn't in the change" + identity(name);
        }
        if (row.containsValue(Change.BEYOND_TIME)) {
            return "a time of " + name + " is infinite or after the year 9999";
        }
        long characters = row.values().stream().mapToLong(value -> String.valueOf(value).length()).sum();
        if (characters > MOST_CHARACTERS) {
            return "the row of " + name + " has " + characters + " characters, more than fit into a record";
        }
        return null;
    }

    private static String identity(String table) {
        return ": ALTER TABLE " + table + " REPLICA IDENTITY FULL";
    }

    /** Without the whole row Debezium knows only the key, and fills columns that can't be NULL with empty values. */
    private static boolean isBlank(Map<String, Object> row, CapturedTable table) {
        return row.entrySet().stream()
                .filter(field -> !field.getKey().equals(table.primaryKey()))
                .map(Map.Entry::getValue)
                .allMatch(RowVersion::isNothing);
    }

    private static boolean isNothing(Object value) {
        return value == null
                || value.equals("")
                || value.equals(false)
                || value instanceof Number number && number.doubleValue() == 0;
    }

    private static Map<String, Object> complaint(Change change, String problem) {
        Map<String, Object> complaint = new LinkedHashMap<>();
        complaint.put("problem", problem);
        complaint.put("table", change.source());
        complaint.put("op", change.op());
        complaint.put("lsn", change.lsn());
        complaint.put("before", shown(change.before()));
        complaint.put("after", shown(change.after()));
        return complaint;
    }

    private static String shown(Map<String, Object> row) {
        String text = row == null ? null : row.toString();
        return text == null || text.length() <= SHOWN_CHARACTERS ? text : text.substring(0, SHOWN_CHARACTERS) + "…";
    }

    private static String key(Change change, CapturedTable table) {
        Object key = change.row() == null ? null : change.row().get(table.primaryKey());
        return key == null ? null : key.toString();
    }

    @Override
    public void close() {}
}
