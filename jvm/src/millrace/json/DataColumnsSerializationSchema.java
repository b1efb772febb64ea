package millrace.json;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.ProjectedRowData;

/** Writes some of a row's columns. */
final class DataColumnsSerializationSchema implements SerializationSchema<RowData> {

    private static final long serialVersionUID = 1L;

    private final SerializationSchema<RowData> json;
    private final int[] fields;
    private transient ProjectedRowData projected;

    DataColumnsSerializationSchema(SerializationSchema<RowData> json, int[] fields) {
        this.json = json;
        this.fields = fields;
    }

    @Override
    public void open(InitializationContext context) throws Exception {
        projected = ProjectedRowData.from(fields);
        json.open(context);
    }

    @Override
    public byte[] serialize(RowData row) {
        return json.serialize(projected.replaceRow(row));
    }
}
