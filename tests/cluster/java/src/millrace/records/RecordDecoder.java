package millrace.records;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.util.UserCodeClassLoader;

/** Makes a record's rows: the fields of the key's format, those of the value's format, then the metadata. */
final class RecordDecoder implements Serializable {

    private static final long serialVersionUID = 1L;

    private final Part key;
    private final Part value;
    private final int physicalFields;
    private final String topic;
    private final List<Metadata> metadata;

    RecordDecoder(Part key, Part value, int physicalFields, String topic, List<Metadata> metadata) {
        this.key = key;
        this.value = value;
        this.physicalFields = physicalFields;
        this.topic = topic;
        this.metadata = List.copyOf(metadata);
    }

    void open(SourceReaderContext context) throws Exception {
        var initialization = new DeserializationSchema.InitializationContext() {
            @Override
            public MetricGroup getMetricGroup() {
                return context.metricGroup().addGroup("deserializer");
            }

            @Override
            public UserCodeClassLoader getUserCodeClassLoader() {
                return context.getUserCodeClassLoader();
            }
        };
        value.schema.open(initialization);
        if (key != null) {
            key.schema.open(initialization);
        }
    }

    void decode(Record record, Consumer<RowData> out) throws Exception {
        List<RowData> keys = key == null ? List.of() : key.decode(record.key());
        for (RowData valueRow : value.decode(record.value())) {
            GenericRowData row = new GenericRowData(valueRow.getRowKind(), physicalFields + metadata.size());
            keys.forEach(keyRow -> key.copy(keyRow, row));
            value.copy(valueRow, row);
            for (int i = 0; i < metadata.size(); i++) {
                row.setField(physicalFields + i, metadata.get(i).of(topic, record));
            }
            out.accept(row);
        }
    }

    /** The fields that come from a format: the format's field i is the row's field `positions[i]`. */
    static final class Part implements Serializable {

        private static final long serialVersionUID = 1L;

        private final DeserializationSchema<RowData> schema;
        private final int[] positions;
        private final RowData.FieldGetter[] getters;

        Part(DeserializationSchema<RowData> schema, DataType type, int[] positions) {
            this.schema = schema;
            this.positions = positions;
            List<LogicalType> fields = type.getLogicalType().getChildren();
            getters = new RowData.FieldGetter[fields.size()];
            for (int i = 0; i < getters.length; i++) {
                getters[i] = RowData.createFieldGetter(fields.get(i), i);
            }
        }

        private List<RowData> decode(byte[] bytes) throws Exception {
            List<RowData> rows = new ArrayList<>();
            schema.deserialize(bytes, new ListCollector<>(rows));
            return rows;
        }

        private void copy(RowData from, GenericRowData to) {
            for (int i = 0; i < positions.length; i++) {
                to.setField(positions[i], getters[i].getFieldOrNull(from));
            }
        }
    }
}
