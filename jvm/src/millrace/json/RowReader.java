package millrace.json;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/** Reads an object with known fields, some of which have columns; other fields are skipped or invalid. */
final class RowReader implements ValueReader {

    static final String EXPECTED = "an object";

    private static final int NO_COLUMN = -1;

    private record Field(int column, int required, boolean nullable, ValueReader reader) {

        boolean isRequired() {
            return required >= 0;
        }
    }

    private final int arity;
    private final boolean closed;
    private final Map<String, Field> fields = new HashMap<>();
    private final List<String> required = new ArrayList<>();

    /**
     * Creates the reader of a row type and the schema of the object.
     *
     * @param isRead whether a column is a field of the object
     * @param isRequired whether a column's field must exist and not be null, also if the schema allows it
     */
    RowReader(
            RowType type,
            SchemaNode schema,
            Predicate<String> isRead,
            Predicate<String> isRequired,
            TimestampFormat timestampFormat) {
        arity = type.getFieldCount();
        closed = schema.closed();
        for (int column = 0; column < arity; column++) {
            String name = type.getFieldNames().get(column);
            if (isRead.test(name)) {
                SchemaNode property = schema.property(name);
                ValueReader reader = ValueReaders.of(type.getTypeAt(column), property, timestampFormat);
                boolean asked = isRequired.test(name);
                add(name, column, asked || schema.required().contains(name), property.nullable() && !asked, reader);
            }
        }
        schema.propertiesWithout(Set.copyOf(fields.keySet()))
                .forEach(
                        (name, property) -> {
                            ValueReader reader = ValueReaders.ofNoColumn(property, timestampFormat);
                            add(name, NO_COLUMN, schema.required().contains(name), property.nullable(), reader);
                        });
    }

    private void add(String name, int column, boolean isRequired, boolean nullable, ValueReader reader) {
        fields.put(name, new Field(column, isRequired ? required.size() : -1, nullable, reader));
        if (isRequired) {
            required.add(name);
        }
    }

    @Override
    public GenericRowData read(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            throw ValueReader.wrongType(parser, EXPECTED);
        }
        GenericRowData row = new GenericRowData(arity);
        boolean[] isThere = new boolean[required.size()];
        int there = 0;
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            Field field = fields.get(name);
            if (field == null) {
                if (closed) {
                    throw BadRecordException.at(parser, "its schema has no such field");
                }
                parser.skipChildren();
                continue;
            }
            if (field.isRequired()) {
                isThere[field.required] = true;
                there++;
            }
            if (token != JsonToken.VALUE_NULL) {
                Object value = field.reader.read(parser);
                if (field.column != NO_COLUMN) {
                    row.setField(field.column, value);
                }
            } else if (!field.nullable) {
                throw BadRecordException.at(
                        parser, field.isRequired() ? "null, but it is required" : "null, but it can only be left out");
            }
        }
        if (there < isThere.length) {
            throw missing(parser, isThere);
        }
        return row;
    }

    private BadRecordException missing(JsonParser parser, boolean[] isThere) {
        int first = 0;
        while (isThere[first]) {
            first++;
        }
        return BadRecordException.inField(parser, required.get(first), "is missing");
    }
}
