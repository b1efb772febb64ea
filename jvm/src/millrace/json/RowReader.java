package millrace.json;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/** An object with fields of known names; other fields are skipped. */
final class RowReader implements ValueReader {

    static final String EXPECTED = "an object";

    private record Field(String name, int position, boolean required, ValueReader reader) {}

    private final int arity;
    private final Map<String, Field> fields = new HashMap<>();
    private final List<Field> required = new ArrayList<>();

    RowReader(RowType type, Predicate<String> isRead, Predicate<String> isRequired, TimestampFormat timestampFormat) {
        arity = type.getFieldCount();
        for (int position = 0; position < arity; position++) {
            String name = type.getFieldNames().get(position);
            if (isRead.test(name)) {
                ValueReader reader = ValueReaders.of(type.getTypeAt(position), timestampFormat);
                fields.put(name, new Field(name, position, isRequired.test(name), reader));
            }
        }
        fields.values().stream().filter(Field::required).forEach(required::add);
    }

    @Override
    public GenericRowData read(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            throw ValueReader.wrongType(parser, EXPECTED);
        }
        GenericRowData row = new GenericRowData(arity);
        int found = 0;
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            Field field = fields.get(name);
            if (field == null) {
                parser.skipChildren();
            } else if (token != JsonToken.VALUE_NULL) {
                row.setField(field.position, field.reader.read(parser));
                found += field.required ? 1 : 0;
            } else if (field.required) {
                throw BadRecordException.at(parser, "null, but it is required");
            }
        }
        if (found < required.size()) {
            throw missing(parser, row);
        }
        return row;
    }

    private BadRecordException missing(JsonParser parser, GenericRowData row) {
        Field field = required.stream().filter(each -> row.isNullAt(each.position)).findFirst().orElseThrow();
        return BadRecordException.inField(parser, field.name, "is missing");
    }
}
