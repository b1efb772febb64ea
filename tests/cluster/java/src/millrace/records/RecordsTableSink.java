package millrace.records;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.Projection;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.connector.sink.abilities.SupportsWritingMetadata;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** The table as it is written to: a record a row, and of the metadata the topic and the timestamp, as for Kafka. */
final class RecordsTableSink implements DynamicTableSink, SupportsWritingMetadata {

    private static final String TOPIC = "topic";
    private static final String TIMESTAMP = "timestamp";

    private final String path;
    private final String topic;
    private final Map<String, String> producerSettings;
    private final DataType physical;
    private final EncodingFormat<SerializationSchema<RowData>> keyFormat;
    private final int[] keyFields;
    private final EncodingFormat<SerializationSchema<RowData>> valueFormat;
    private final int[] valueFields;

    private List<String> metadata = List.of();

    RecordsTableSink(
            String path,
            String topic,
            Map<String, String> producerSettings,
            DataType physical,
            EncodingFormat<SerializationSchema<RowData>> keyFormat,
            int[] keyFields,
            EncodingFormat<SerializationSchema<RowData>> valueFormat,
            int[] valueFields) {
        this.path = path;
        this.topic = topic;
        this.producerSettings = producerSettings;
        this.physical = physical;
        this.keyFormat = keyFormat;
        this.keyFields = keyFields;
        this.valueFormat = valueFormat;
        this.valueFields = valueFields;
    }

    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requested) {
        return valueFormat.getChangelogMode();
    }

    @Override
    public Map<String, DataType> listWritableMetadata() {
        Map<String, DataType> writable = new LinkedHashMap<>();
        writable.put(TOPIC, DataTypes.STRING().nullable());
        writable.put(TIMESTAMP, DataTypes.TIMESTAMP_LTZ(3).nullable());
        return writable;
    }

    @Override
    public void applyWritableMetadata(List<String> keys, DataType consumed) {
        metadata = List.copyOf(keys);
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
        RecordsSink.Part key = keyFormat == null ? null : part(context, keyFormat, keyFields);
        return SinkV2Provider.of(
                new RecordsSink(
                        path,
                        topic,
                        producerSettings,
                        key,
                        part(context, valueFormat, valueFields),
                        field(TOPIC),
                        field(TIMESTAMP)));
    }

    /** Where a row has it: metadata columns come after the physical ones. */
    private int field(String name) {
        int position = metadata.indexOf(name);
        return position < 0 ? RecordsSink.NO_FIELD : DataType.getFieldCount(physical) + position;
    }

    private RecordsSink.Part part(
            Context context, EncodingFormat<SerializationSchema<RowData>> format, int[] fields) {
        DataType type = Projection.of(fields).project(physical);
        return new RecordsSink.Part(format.createRuntimeEncoder(context, type), fields);
    }

    @Override
    public DynamicTableSink copy() {
        RecordsTableSink copy =
                new RecordsTableSink(
                        path,
                        topic,
                        producerSettings,
                        physical,
                        keyFormat,
                        Arrays.copyOf(keyFields, keyFields.length),
                        valueFormat,
                        Arrays.copyOf(valueFields, valueFields.length));
        copy.metadata = metadata;
        return copy;
    }

    @Override
    public String asSummaryString() {
        return "records";
    }
}
