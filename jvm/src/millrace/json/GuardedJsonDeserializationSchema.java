package millrace.json;

import java.io.IOException;
import java.util.List;

import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.Collector;

/** Makes one row of each value, valid or not; of a tombstone none, or one of NULLs. */
final class GuardedJsonDeserializationSchema implements DeserializationSchema<RowData> {

    private static final long serialVersionUID = 1L;

    private final RowType type;
    private final TypeInformation<RowData> producedType;
    private final GuardColumns columns;
    private final List<String> required;
    private final SchemaNode schema;
    private final TimestampFormat timestampFormat;
    private final boolean keepTombstones;
    private final int errorField;
    private final int payloadField;

    private transient RecordReader reader;
    private transient Counter rejected;

    /** Fails during planning if a column can't be read or can't hold exactly what the schema allows. */
    GuardedJsonDeserializationSchema(
            RowType type,
            TypeInformation<RowData> producedType,
            GuardColumns columns,
            List<String> required,
            SchemaNode schema,
            TimestampFormat timestampFormat,
            boolean keepTombstones) {
        this.type = type;
        this.producedType = producedType;
        this.columns = columns;
        this.required = List.copyOf(required);
        this.schema = schema;
        this.timestampFormat = timestampFormat;
        this.keepTombstones = keepTombstones;
        errorField = type.getFieldIndex(columns.error());
        payloadField = type.getFieldIndex(columns.payload());
        reader = newReader();
    }

    @Override
    public void open(InitializationContext context) {
        rejected = context.getMetricGroup().counter("guarded_json_rejected");
        reader = newReader();
    }

    private RecordReader newReader() {
        return new RecordReader(type, columns, required, schema, timestampFormat);
    }

    /**
     * Returns null for a tombstone that isn't kept. An error that isn't the record's own is thrown and fails the task.
     */
    @Override
    public RowData deserialize(byte[] value) throws IOException {
        if (value == null) {
            return keepTombstones ? new GenericRowData(type.getFieldCount()) : null;
        }
        try {
            GenericRowData row = reader.read(value);
            row.setField(payloadField, value);
            return row;
        } catch (BadRecordException wrong) {
            rejected.inc();
            reader.forgetNames();
            GenericRowData row = new GenericRowData(type.getFieldCount());
            row.setField(errorField, StringData.fromString(wrong.getMessage()));
            row.setField(payloadField, value);
            return row;
        }
    }

    @Override
    public void deserialize(byte[] value, Collector<RowData> out) throws IOException {
        RowData row = deserialize(value);
        if (row != null) {
            out.collect(row);
        }
    }

    @Override
    public boolean isEndOfStream(RowData row) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return producedType;
    }
}
