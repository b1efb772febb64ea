package millrace.records;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.ProjectedRowData;

/** Appends to a file for each subtask, in the form that the source reads. Offsets count from a job's start. */
final class RecordsSink implements Sink<RowData> {

    static final int NO_TIMESTAMP = -1;

    private static final long serialVersionUID = 1L;

    private final String folder;
    private final Part key;
    private final Part value;
    private final int timestampField;

    RecordsSink(String folder, Part key, Part value, int timestampField) {
        this.folder = folder;
        this.key = key;
        this.value = value;
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

        private final DataOutputStream out;
        private long offset;

        Writer(int subtask) throws IOException {
            var file = RecordsSource.file(folder, subtask);
            Files.createDirectories(file.getParent());
            out =
                    new DataOutputStream(
                            new BufferedOutputStream(
                                    Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)));
        }

        @Override
        public void write(RowData row, Context context) throws IOException {
            long timestamp =
                    timestampField == NO_TIMESTAMP || row.isNullAt(timestampField)
                            ? 0
                            : row.getTimestamp(timestampField, 3).getMillisecond();
            Record.write(out, offset++, timestamp, key == null ? null : key.encode(row), value.encode(row));
        }

        @Override
        public void flush(boolean endOfInput) throws IOException {
            out.flush();
        }

        @Override
        public void close() throws IOException {
            out.close();
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
