package millrace.json;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonLocation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;

/**
 * Reads one JSON object into a row, in one pass, or throws what is wrong with it.
 *
 * <p>Flink's own converters are not used for this: they read "12" as a number, 1.5 as 1, any text as FALSE, a decimal
 * that doesn't fit as NULL and the first of two documents as the whole, and they hide the cause of a field's failure,
 * even if it was a lack of memory.
 */
final class RecordReader {

    private final RowReader row;
    private JsonFactory parsers = newParsers();

    RecordReader(
            RowType type,
            GuardColumns columns,
            List<String> required,
            SchemaNode schema,
            TimestampFormat timestampFormat) {
        Set<String> data = new HashSet<>(type.getFieldNames());
        data.removeIf(columns::contain);
        row = new RowReader(type, schema, data::contains, Set.copyOf(required)::contains, timestampFormat);
    }

    private static JsonFactory newParsers() {
        return JsonFactory.builder()
                .disable(JsonFactory.Feature.CHARSET_DETECTION)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
    }

    /** Drops the names of fields: the parser keeps them after the record, and bad records must not fill memory. */
    void forgetNames() {
        parsers = newParsers();
    }

    /**
     * The row of a value; the columns that the format fills itself are NULL.
     *
     * @throws BadRecordException the value is not one JSON object in UTF-8 that fits the columns
     */
    GenericRowData read(byte[] value) throws IOException {
        int invalid = Utf8.firstInvalid(value);
        if (invalid >= 0) {
            throw new BadRecordException("not UTF-8 (byte " + invalid + ")");
        }
        if (startsWithByteOrderMark(value)) {
            throw new BadRecordException("a byte order mark, which JSON doesn't have (byte 0)");
        }
        try (JsonParser parser = parsers.createParser(value)) {
            if (parser.nextToken() == null) {
                throw new BadRecordException(value.length == 0 ? "the value is empty" : "the value is only white space");
            }
            return read(parser);
        } catch (JsonProcessingException failure) {
            throw BadRecordException.of(failure);
        }
    }

    /** Exceptions here depend only on the bytes, so the job would fail again after each restart. */
    private GenericRowData read(JsonParser parser) throws IOException {
        try {
            GenericRowData read = row.read(parser);
            checkEnd(parser);
            return read;
        } catch (RuntimeException unforeseen) {
            throw BadRecordException.at(parser, "can't be read: " + unforeseen.getMessage());
        }
    }

    private static boolean startsWithByteOrderMark(byte[] value) {
        return value.length >= 3 && value[0] == (byte) 0xEF && value[1] == (byte) 0xBB && value[2] == (byte) 0xBF;
    }

    private static void checkEnd(JsonParser parser) throws IOException {
        JsonLocation end = parser.currentLocation();
        boolean ended;
        try {
            ended = parser.nextToken() == null;
        } catch (JsonProcessingException notEvenJson) {
            ended = false;
        }
        if (!ended) {
            throw new BadRecordException("something follows the JSON object" + BadRecordException.position(end));
        }
    }
}
