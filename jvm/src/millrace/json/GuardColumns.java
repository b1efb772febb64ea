package millrace.json;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;

import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/** Names of the two columns that the format fills itself; all others are data columns. */
record GuardColumns(String table, String error, String payload) implements Serializable {

    static GuardColumns of(DynamicTableFactory.Context context, ReadableConfig options) {
        return new GuardColumns(
                context.getObjectIdentifier().asSummaryString(),
                options.get(GuardedJsonFormatFactory.ERROR_COLUMN),
                options.get(GuardedJsonFormatFactory.PAYLOAD_COLUMN));
    }

    boolean contain(String column) {
        return column.equals(error) || column.equals(payload);
    }

    /** Positions of the data columns. */
    int[] dataFields(DataType type) {
        List<String> names = DataType.getFieldNames(type);
        return IntStream.range(0, names.size()).filter(field -> !contain(names.get(field))).toArray();
    }

    /**
     * Returns the columns that the format has to produce, after checking that it can.
     *
     * @throws ValidationException a guard column is missing, or a column is declared in a way that can't hold
     */
    RowType checked(DataType produced, List<String> required) {
        RowType type = (RowType) produced.getLogicalType();
        check(type, error, LogicalTypeRoot.VARCHAR, "STRING", "says what is wrong with a record");
        check(type, payload, LogicalTypeRoot.VARBINARY, "BYTES", "holds a record's value");
        for (RowType.RowField field : type.getFields()) {
            if (!field.getType().isNullable()) {
                throw problem(
                        "column `%s` can't be NOT NULL, as it is NULL where a record is wrong: make it nullable; "
                                + "'guarded-json.schema' or 'guarded-json.required' says what every good record has",
                        field.getName());
            }
        }
        for (String name : required) {
            if (contain(name) || type.getFieldIndex(name) < 0) {
                throw problem("'guarded-json.required' names `%s`, which is not a data column of it", name);
            }
        }
        return type;
    }

    /**
     * Parses the schema; without one, every value is valid.
     *
     * @throws ValidationException a part of it can't be enforced
     */
    SchemaNode schema(Optional<String> text) {
        return text.map(given -> fitting(() -> SchemaParser.parse(given))).orElse(SchemaNode.ANYTHING);
    }

    /**
     * Returns what {@code made} makes of the table's columns and its schema.
     *
     * @throws ValidationException they don't fit; the message names the table, too
     */
    <T> T fitting(Supplier<T> made) {
        try {
            return made.get();
        } catch (ValidationException wrong) {
            throw problem("%s", wrong.getMessage());
        }
    }

    private void check(RowType type, String name, LogicalTypeRoot root, String typeName, String purpose) {
        int field = type.getFieldIndex(name);
        LogicalType found = field < 0 ? null : type.getTypeAt(field);
        if (found == null || !found.is(root)) {
            throw problem("it needs a column `%s` %s, which %s", name, typeName, purpose);
        }
    }

    private ValidationException problem(String text, Object... arguments) {
        return new ValidationException(
                "Table %s can't have 'format' = '%s': %s."
                        .formatted(table, GuardedJsonFormatFactory.IDENTIFIER, text.formatted(arguments)));
    }
}
