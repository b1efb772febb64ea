package millrace.changes;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.config.ConfigException;

/**
 * A table whose changes become events.
 *
 * @param name schema and table, such as {@code shop.customers}
 * @param relay a table through which rows are read into the stream, or empty
 */
record CapturedTable(String name, String topic, String eventType, String primaryKey, String relay) {

    /**
     * Returns the tables by each name under which their rows arrive.
     *
     * @param declarations name, topic, event type, primary key and perhaps a relay, separated by spaces
     * @throws ConfigException one of them has another form
     */
    static Map<String, CapturedTable> byName(List<String> declarations) {
        Map<String, CapturedTable> tables = new HashMap<>();
        for (String declaration : declarations) {
            CapturedTable table = parse(declaration);
            tables.put(table.name, table);
            if (!table.relay.isEmpty()) {
                tables.put(table.relay, table);
            }
        }
        return tables;
    }

    private static CapturedTable parse(String declaration) {
        String[] words = declaration.strip().split(" +");
        if (words.length < 4 || words.length > 5 || !words[0].contains(".")) {
            throw new ConfigException(
                    RowVersion.TABLES,
                    declaration,
                    "it must be `schema.table topic event_type primary_key`, and perhaps a relay table");
        }
        return new CapturedTable(words[0], words[1], words[2], words[3], words.length == 5 ? words[4] : "");
    }

    boolean isRelayedBy(String source) {
        return source.equals(relay);
    }

    /** Prefix of the ids of its events. */
    String shortName() {
        return name.substring(name.indexOf('.') + 1);
    }
}
