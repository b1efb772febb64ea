package millrace.records;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.ProjectedRowData;

/**
 * Appends to a file for each subtask, in the form that the source reads. Offsets count from a job's start.
 *
 * <p>A record is made, changed by the producer's interceptors and refused as it would be by Kafka. One of another topic
 * than the table's goes to the folder of that name beside the table's.
 */
final class RecordsSink implements Sink<RowData> {

    static final int NO_FIELD = -1;

    private static final long serialVersionUID = 1L;
    private static final int SUBTASKS = 1_000; // files of other topics are numbered beyond those of their own tables

    private final String folder;
    private final String topic;
    private final Map<String, String> producerSettings;
    private final Part key;
    private final Part value;
    private final int topicField;
    private final int timestampField;

    RecordsSink(
            String folder,
            String topic,
            Map<String, String> producerSettings,
            Part key,
            Part value,
            int topicField,
            int timestampField) {
        this.folder = folder;
        this.topic = topic;
        this.producerSettings = new HashMap<>(producerSettings);
        this.key = key;
        this.value = value;
        this.topicField = topicField;
        this.timestampField = timestampField;
    }

    @Override
    public SinkWriter<RowData> createWriter(WriterInitContext context) throws IOException {
        try {
            SerializationSchema.InitializationContext formats = context.asSerializationSchemaInitializationContext();
            value.open(formats);
            if (key != null) {
                key.open(formats);
            }
        } catch (Exception e) {
            throw new IOException("A format can't be opened", e);
        }
        return new Writer(context.getTaskInfo().getIndexOfThisSubtask());
    }

    private final class Writer implements SinkWriter<RowData> {

        private final int subtask;
        private final Producing producing = new Producing(producerSettings);
        private final Map<String, DataOutputStream> files = new HashMap<>();
        private long offset;

        Writer(int subtask) throws IOException {
            this.subtask = subtask;
            file(topic);
        }

        @Override
        public void write(RowData row, Context context) throws IOException {
            String addressed = has(topicField, row) ? row.getString(topicField).toString() : topic;
            Long timestamp = has(timestampField, row) ? row.getTimestamp(timestampField, 3).getMillisecond() : null;
            byte[] recordKey = key == null ? null : key.encode(row);
            var record = producing.sent(addressed, timestamp, recordKey, value.encode(row));
            long time = record.timestamp() == null ? 0 : record.timestamp();
            Record.write(file(record.topic()), offset++, time, record.key(), record.value());
        }

        private boolean has(int field, RowData row) {
            return field != NO_FIELD && !row.isNullAt(field);
        }

        private DataOutputStream file(String name) throws IOException {
            DataOutputStream open = files.get(name);
            if (open == null) {
                var path =
                        name.equals(topic)
                                ? RecordsSource.file(folder, subtask)
                                : RecordsSource.file(Path.of(folder).resolveSibling(name).toString(), number());
                Files.createDirectories(path.getParent());
                open =
                        new DataOutputStream(
                                new BufferedOutputStream(
                                        Files.newOutputStream(
                                                path, StandardOpenOption.CREATE, StandardOpenOption.APPEND)));
                files.put(name, open);
            }
            return open;
        }

        /** Of a file that no other writer has. */
        private int number() {
            return SUBTASKS * (1 + Math.floorMod(Path.of(folder).getFileName().hashCode(), 100_000)) + subtask;
        }

        @Override
        public void flush(boolean endOfInput) throws IOException {
            for (DataOutputStream file : files.values()) {
                file.flush();
            }
        }

        @Override
        public void close() throws IOException {
            for (DataOutputStream file : files.values()) {
                file.close();
            }
        }
    }

    /** The fields that a format writes. */
    static final class Part implements Serializable {

        private static final long serialVersionUID = 1L;

        private final SerializationSchema<RowData> schema;
        private final int[] fields;
        private transient ProjectedRowData projected;

        Part(SerializationSchema<RowData> schema, int[] fields) {
            this.schema = schema;
            this.fields = fields;
        }

        private void open(SerializationSchema.InitializationContext context) throws Exception {
            projected = ProjectedRowData.from(fields);
            schema.open(context);
        }

        private byte[] encode(RowData row) {
            return schema.serialize(projected.replaceRow(row));
        }
    }
}
