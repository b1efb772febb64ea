package millrace.changes;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;

/** Applies the transform to each line of stdin, JSON with its schema, and says on stdout what becomes of it. */
public final class TransformLines {

    private TransformLines() {}

    /** Arguments: the declarations of the tables. */
    public static void main(String[] tables) throws IOException {
        try (JsonConverter reader = converter(true);
                JsonConverter writer = converter(false);
                RowVersion transform = new RowVersion()) {
            transform.configure(Map.of(RowVersion.TABLES, String.join(",", tables)));
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                SchemaAndValue change = reader.toConnectData("", line.getBytes(StandardCharsets.UTF_8));
                SourceRecord record =
                        new SourceRecord(Map.of(), Map.of(), "captured", change.schema(), change.value());
                System.out.println(json(writer, applied(transform, record)));
            }
        }
    }

    private static JsonConverter converter(boolean withSchemas) {
        JsonConverter converter = new JsonConverter();
        converter.configure(
                Map.of("schemas.enable", withSchemas, "replace.null.with.default", false, "converter.type", "value"));
        return converter;
    }

    private static Object applied(RowVersion transform, SourceRecord record) {
        try {
            SourceRecord event = transform.apply(record);
            if (event == null) {
                return null;
            }
            Map<String, Object> said = new HashMap<>();
            said.put("topic", event.topic());
            said.put("key", event.key());
            said.put("timestamp", event.timestamp());
            said.put("value", event.value());
            return said;
        } catch (ConnectException refused) {
            return Map.of("error", refused.getMessage());
        }
    }

    private static String json(JsonConverter writer, Object value) {
        byte[] bytes = writer.fromConnectData("", (Schema) null, value);
        return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
    }
}
