package millrace.records;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;

/** `'connector' = 'records'`: reads or writes files, with the columns and format options of a Kafka table. */
public final class RecordsTableFactory implements DynamicTableSourceFactory, DynamicTableSinkFactory {

    static final ConfigOption<String> PATH = ConfigOptions.key("path").stringType().noDefaultValue();
    static final ConfigOption<String> TOPIC = ConfigOptions.key("topic").stringType().defaultValue("records");
    static final ConfigOption<Boolean> STAY_OPEN = ConfigOptions.key("stay-open").booleanType().defaultValue(false);
    static final ConfigOption<String> KEY_FORMAT = ConfigOptions.key("key.format").stringType().noDefaultValue();
    static final ConfigOption<List<String>> KEY_FIELDS =
            ConfigOptions.key("key.fields").stringType().asList().defaultValues();
    static final ConfigOption<String> KEY_FIELDS_PREFIX =
            ConfigOptions.key("key.fields-prefix").stringType().defaultValue("");
    static final ConfigOption<String> VALUE_FORMAT = ConfigOptions.key("value.format").stringType().noDefaultValue();
    static final ConfigOption<ValueFields> VALUE_FIELDS =
            ConfigOptions.key("value.fields-include").enumType(ValueFields.class).defaultValue(ValueFields.ALL);

    private static final String PROPERTIES = "properties.";

    enum ValueFields {
        ALL,
        EXCEPT_KEY
    }

    @Override
    public String factoryIdentifier() {
        return "records";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(PATH);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return new HashSet<>(
                List.of(
                        TOPIC,
                        STAY_OPEN,
                        FactoryUtil.FORMAT,
                        KEY_FORMAT,
                        KEY_FIELDS,
                        KEY_FIELDS_PREFIX,
                        VALUE_FORMAT,
                        VALUE_FIELDS));
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        var keyFormat =
                helper.discoverOptionalDecodingFormat(DeserializationFormatFactory.class, KEY_FORMAT).orElse(null);
        var valueFormat =
                helper.discoverOptionalDecodingFormat(DeserializationFormatFactory.class, FactoryUtil.FORMAT)
                        .orElseGet(
                                () ->
                                        helper.discoverDecodingFormat(
                                                DeserializationFormatFactory.class, VALUE_FORMAT));
        helper.validate();
        ReadableConfig options = helper.getOptions();
        DataType physical = context.getPhysicalRowDataType();
        return new RecordsTableSource(
                options.get(PATH),
                options.get(TOPIC),
                options.get(STAY_OPEN),
                physical,
                keyFormat,
                keyFields(options, physical),
                options.get(KEY_FIELDS_PREFIX),
                valueFormat,
                valueFields(options, physical));
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        var keyFormat =
                helper.discoverOptionalEncodingFormat(SerializationFormatFactory.class, KEY_FORMAT).orElse(null);
        var valueFormat =
                helper.discoverOptionalEncodingFormat(SerializationFormatFactory.class, FactoryUtil.FORMAT)
                        .orElseGet(
                                () -> helper.discoverEncodingFormat(SerializationFormatFactory.class, VALUE_FORMAT));
        helper.validateExcept(PROPERTIES);
        ReadableConfig options = helper.getOptions();
        DataType physical = context.getPhysicalRowDataType();
        return new RecordsTableSink(
                options.get(PATH),
                options.get(TOPIC),
                producerSettings(context.getCatalogTable().getOptions()),
                physical,
                keyFormat,
                keyFields(options, physical),
                valueFormat,
                valueFields(options, physical));
    }

    /** The table's `properties.…` without that prefix: what a Kafka producer would get. */
    private static Map<String, String> producerSettings(Map<String, String> options) {
        return options.entrySet().stream()
                .filter(option -> option.getKey().startsWith(PROPERTIES))
                .collect(
                        Collectors.toMap(
                                option -> option.getKey().substring(PROPERTIES.length()), Map.Entry::getValue));
    }

    private static int[] keyFields(ReadableConfig options, DataType physical) {
        List<String> columns = DataType.getFieldNames(physical);
        return options.get(KEY_FIELDS).stream().mapToInt(columns::indexOf).toArray();
    }

    private static int[] valueFields(ReadableConfig options, DataType physical) {
        List<String> columns = DataType.getFieldNames(physical);
        boolean all = options.get(VALUE_FIELDS) == ValueFields.ALL;
        List<String> keyFields = options.get(KEY_FIELDS);
        return IntStream.range(0, columns.size())
                .filter(i -> all || !keyFields.contains(columns.get(i)))
                .toArray();
    }
}
