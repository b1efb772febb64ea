package millrace.records;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.Projection;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsReadingMetadata;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** The table: watermarks are made per partition, metadata columns come after the physical ones. */
final class RecordsTableSource implements ScanTableSource, SupportsReadingMetadata, SupportsWatermarkPushDown {

    private final String path;
    private final String topic;
    private final boolean stayOpen;
    private final DataType physical;
    private final DecodingFormat<DeserializationSchema<RowData>> keyFormat;
    private final int[] keyFields;
    private final String keyPrefix;
    private final DecodingFormat<DeserializationSchema<RowData>> valueFormat;
    private final int[] valueFields;

    private DataType produced;
    private List<Metadata> metadata = List.of();
    private WatermarkStrategy<RowData> watermarks = WatermarkStrategy.noWatermarks();

    RecordsTableSource(
            String path,
            String topic,
            boolean stayOpen,
            DataType physical,
            DecodingFormat<DeserializationSchema<RowData>> keyFormat,
            int[] keyFields,
            String keyPrefix,
            DecodingFormat<DeserializationSchema<RowData>> valueFormat,
            int[] valueFields) {
        this.path = path;
        this.topic = topic;
        this.stayOpen = stayOpen;
        this.physical = physical;
        this.keyFormat = keyFormat;
        this.keyFields = keyFields;
        this.keyPrefix = keyPrefix;
        this.valueFormat = valueFormat;
        this.valueFields = valueFields;
        this.produced = physical;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return valueFormat.getChangelogMode();
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        Map<String, DataType> types = new LinkedHashMap<>();
        for (Metadata each : Metadata.values()) {
            types.put(each.key, each.type);
        }
        return types;
    }

    @Override
    public void applyReadableMetadata(List<String> keys, DataType producedDataType) {
        produced = producedDataType;
        metadata = new ArrayList<>();
        for (String key : keys) {
            Stream.of(Metadata.values()).filter(each -> each.key.equals(key)).forEach(metadata::add);
        }
    }

    @Override
    public void applyWatermark(WatermarkStrategy<RowData> strategy) {
        watermarks = strategy;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        RecordDecoder.Part key = keyFormat == null ? null : part(context, keyFormat, keyFields, keyPrefix);
        RecordDecoder.Part value = part(context, valueFormat, valueFields, "");
        int physicalFields = DataType.getFieldCount(physical);
        RecordDecoder decoder = new RecordDecoder(key, value, physicalFields, topic, metadata);
        RecordsSource source = new RecordsSource(path, stayOpen, decoder);
        var producedType = context.<RowData>createTypeInformation(produced);
        var strategy = watermarks;
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(
                    ProviderContext provider, StreamExecutionEnvironment environment) {
                var stream = environment.fromSource(source, strategy, "records of " + topic, producedType);
                provider.generateUid("records").ifPresent(stream::uid);
                return stream;
            }

            @Override
            public boolean isBounded() {
                return !stayOpen;
            }
        };
    }

    private RecordDecoder.Part part(
            DynamicTableSource.Context context,
            DecodingFormat<DeserializationSchema<RowData>> format,
            int[] fields,
            String prefix) {
        DataTypes.Field[] named =
                DataType.getFields(Projection.of(fields).project(physical)).stream()
                        .map(field -> DataTypes.FIELD(field.getName().substring(prefix.length()), field.getDataType()))
                        .toArray(DataTypes.Field[]::new);
        DataType type = DataTypes.ROW(named).notNull();
        return new RecordDecoder.Part(format.createRuntimeDecoder(context, type), type, fields);
    }

    @Override
    public DynamicTableSource copy() {
        RecordsTableSource copy =
                new RecordsTableSource(
                        path,
                        topic,
                        stayOpen,
                        physical,
                        keyFormat,
                        Arrays.copyOf(keyFields, keyFields.length),
                        keyPrefix,
                        valueFormat,
                        Arrays.copyOf(valueFields, valueFields.length));
        copy.produced = produced;
        copy.metadata = List.copyOf(metadata);
        copy.watermarks = watermarks;
        return copy;
    }

    @Override
    public String asSummaryString() {
        return "records";
    }
}
