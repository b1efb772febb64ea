package millrace.changes;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.metrics.PluginMetrics;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTaskContext;
import org.apache.kafka.connect.storage.OffsetStorageReader;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Captures a database without a Connect worker: writes each event to stdout as a line of JSON until it is killed. */
public final class CapturedLines {

    private CapturedLines() {}

    /** The connector's configuration is the first line of stdin, a JSON object. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Map<String, String> config = new ObjectMapper().readValue(lines.readLine(), new TypeReference<>() {});
        WholeTransactionsTask task = new WholeTransactionsTask();
        try (JsonConverter writer = new JsonConverter(); RowVersion transform = new RowVersion()) {
            writer.configure(Map.of("schemas.enable", false, "converter.type", "value"));
            transform.configure(Map.of(RowVersion.TABLES, config.get("transforms.rowVersion.tables")));
            task.initialize(new Context(config));
            task.start(config);
            while (true) {
                List<SourceRecord> records = task.poll();
                for (SourceRecord record : records == null ? List.<SourceRecord>of() : records) {
                    print(writer, transform.apply(record));
                }
            }
        }
    }

    private static void print(JsonConverter writer, SourceRecord event) {
        if (event != null) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("topic", event.topic());
            line.put("key", event.key());
            line.put("value", event.value());
            byte[] bytes = writer.fromConnectData("", (Schema) null, line);
            System.out.println(new String(bytes, StandardCharsets.UTF_8));
        }
    }

    /** A worker that has captured nothing yet. */
    private record Context(Map<String, String> configs) implements SourceTaskContext {

        @Override
        public OffsetStorageReader offsetStorageReader() {
            return new OffsetStorageReader() {
                @Override
                public <T> Map<String, Object> offset(Map<String, T> partition) {
                    return null;
                }

                @Override
                public <T> Map<Map<String, T>, Map<String, Object>> offsets(Collection<Map<String, T>> partitions) {
                    return Map.of();
                }
            };
        }

        @Override
        public PluginMetrics pluginMetrics() {
            return null;
        }
    }
}
