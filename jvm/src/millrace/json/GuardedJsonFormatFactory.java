package millrace.json;

import java.util.List;
import java.util.Set;

import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.JsonFormatFactory;
import org.apache.flink.formats.json.JsonFormatOptions;
import org.apache.flink.formats.json.JsonFormatOptionsUtil;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.Projection;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/**
 * {@code 'format' = 'guarded-json'}: Flink's JSON format, but a record that doesn't fit the table doesn't stop the job.
 *
 * <p>Such a record becomes a row with the reason in its {@code error} column and NULL in its data columns; in a good
 * row {@code error} is NULL. In both, the {@code payload} column is the value byte for byte, so that a record that
 * decodes and still can't be used, since it is late, has an equally complete dead letter. Types map to JSON as in
 * Flink's {@code json} format, whose options keep their names after this format's prefix.
 *
 * <p>The JSON Schema in {@code guarded-json.schema} defines what a good record is, beyond what its columns can hold.
 * All of it is enforced while the record is read, also for fields that have no column. Without a schema, {@code
 * guarded-json.required} names the fields that a record must have.
 *
 * <p>The table's columns must be nullable: the planner relies on NOT NULL and leaves out its checks, and an error
 * row would violate it. Inside a ROW, an ARRAY or a MAP, NOT NULL is sound, and is enforced.
 *
 * <p>A table that is written to writes JSON as Flink does, without the two columns.
 */
public final class GuardedJsonFormatFactory implements DeserializationFormatFactory, SerializationFormatFactory {

    static final String IDENTIFIER = "guarded-json";

    static final ConfigOption<List<String>> REQUIRED =
            ConfigOptions.key("required")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription("Columns that a good record has, and not as null; separated by semicolons.");

    static final ConfigOption<String> SCHEMA =
            ConfigOptions.key("schema")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "JSON Schema of the records: which fields a good record has, and which values they can "
                                    + "have, also those that the table has no column for.");

    static final ConfigOption<String> ERROR_COLUMN =
            ConfigOptions.key("error-column")
                    .stringType()
                    .defaultValue("error")
                    .withDescription("The STRING column that says what is wrong with a record.");

    static final ConfigOption<String> PAYLOAD_COLUMN =
            ConfigOptions.key("payload-column")
                    .stringType()
                    .defaultValue("payload")
                    .withDescription("The BYTES column that holds the value of a record, byte for byte.");

    static final ConfigOption<Boolean> KEEP_TOMBSTONES =
            ConfigOptions.key("keep-tombstones")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether a record without a value is a row, of which all of this format's columns are NULL.");

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    /** Flink's options, without those that decide what happens to a bad record. */
    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(
                REQUIRED,
                SCHEMA,
                ERROR_COLUMN,
                PAYLOAD_COLUMN,
                KEEP_TOMBSTONES,
                JsonFormatOptions.TIMESTAMP_FORMAT,
                JsonFormatOptions.MAP_NULL_KEY_MODE,
                JsonFormatOptions.MAP_NULL_KEY_LITERAL,
                JsonFormatOptions.ENCODE_DECIMAL_AS_PLAIN_NUMBER,
                JsonFormatOptions.ENCODE_IGNORE_NULL_FIELDS);
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        JsonFormatOptionsUtil.validateDecodingFormatOptions(options);
        GuardColumns columns = GuardColumns.of(context, options);
        List<String> required = options.get(REQUIRED);
        SchemaNode schema = columns.schema(options.getOptional(SCHEMA));
        TimestampFormat timestampFormat = JsonFormatOptionsUtil.getTimestampFormat(options);
        boolean keepTombstones = options.get(KEEP_TOMBSTONES);
        return new DecodingFormat<>() {
            @Override
            public DeserializationSchema<RowData> createRuntimeDecoder(
                    DynamicTableSource.Context source, DataType produced) {
                RowType type = columns.checked(produced, required);
                var producedType = source.<RowData>createTypeInformation(produced);
                return columns.fitting(
                        () ->
                                new GuardedJsonDeserializationSchema(
                                        type,
                                        producedType,
                                        columns,
                                        required,
                                        schema,
                                        timestampFormat,
                                        keepTombstones));
            }

            @Override
            public ChangelogMode getChangelogMode() {
                return ChangelogMode.insertOnly();
            }
        };
    }

    @Override
    public EncodingFormat<SerializationSchema<RowData>> createEncodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        GuardColumns columns = GuardColumns.of(context, options);
        var json = new JsonFormatFactory().createEncodingFormat(context, options);
        return new EncodingFormat<>() {
            @Override
            public SerializationSchema<RowData> createRuntimeEncoder(
                    DynamicTableSink.Context sink, DataType consumed) {
                int[] data = columns.dataFields(consumed);
                return new DataColumnsSerializationSchema(
                        json.createRuntimeEncoder(sink, Projection.of(data).project(consumed)), data);
            }

            @Override
            public ChangelogMode getChangelogMode() {
                return json.getChangelogMode();
            }
        };
    }
}
