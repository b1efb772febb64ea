package millrace.json;

import java.io.IOException;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.ResolverStyle;
import java.time.temporal.TemporalQuery;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import org.apache.flink.formats.common.TimeFormats;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.MultisetType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.io.JsonStringEncoder;

/** Readers of each SQL type: they accept the JSON that Flink writes, and nothing else. */
final class ValueReaders {

    private static final int LONGEST_QUOTE = 40;
    private static final int LONGEST_NUMBER = 1000;
    private static final int DIGITS_OF_LONG = 19;
    private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]{1,9})?");

    private ValueReaders() {}

    /**
     * Returns the reader of a column.
     *
     * @param schema further requirements on a value
     * @throws ValidationException the column can't be read, or doesn't hold exactly what the schema allows
     */
    static ValueReader of(LogicalType type, SchemaNode schema, TimestampFormat timestampFormat) {
        schema.requireHeldBy(type);
        return checked(reader(type, schema, timestampFormat), schema.rules());
    }

    /** Returns the reader of a value without a column: it must be valid, too. */
    static ValueReader ofNoColumn(SchemaNode schema, TimestampFormat timestampFormat) {
        ValueReader reader =
                switch (schema.kind()) {
                    case ANYTHING -> parser -> {
                        parser.skipChildren();
                        return null;
                    };
                    case CHOICE -> choice(schema, timestampFormat);
                    case BOOLEAN -> ValueReaders::readBoolean;
                    case INTEGER -> reader(new BigIntType(), schema, timestampFormat);
                    case NUMBER -> ValueReaders::readDouble;
                    case STRING -> string(VarCharType.STRING_TYPE);
                    case BASE64 -> binary(new VarBinaryType(VarBinaryType.MAX_LENGTH), true);
                    case ARRAY -> array(elementOfNoColumn(schema, timestampFormat), Object.class);
                    case DICTIONARY -> map(elementOfNoColumn(schema, timestampFormat));
                    case RECORD -> new RowReader(RowType.of(), schema, field -> true, field -> false, timestampFormat);
                };
        return checked(reader, schema.rules());
    }

    private static ValueReader elementOfNoColumn(SchemaNode schema, TimestampFormat timestampFormat) {
        SchemaNode element = schema.elementsOrAnything();
        return element(ofNoColumn(element, timestampFormat), element.nullable());
    }

    private static ValueReader choice(SchemaNode schema, TimestampFormat timestampFormat) {
        Map<JsonToken, ValueReader> byToken = new EnumMap<>(JsonToken.class);
        for (SchemaNode alternative : schema.alternatives()) {
            ValueReader reader = ofNoColumn(alternative, timestampFormat);
            switch (alternative.kind()) {
                case BOOLEAN -> {
                    byToken.put(JsonToken.VALUE_TRUE, reader);
                    byToken.put(JsonToken.VALUE_FALSE, reader);
                }
                case INTEGER, NUMBER -> {
                    byToken.put(JsonToken.VALUE_NUMBER_INT, reader);
                    byToken.put(JsonToken.VALUE_NUMBER_FLOAT, reader);
                }
                case ARRAY -> byToken.put(JsonToken.START_ARRAY, reader);
                case RECORD, DICTIONARY -> byToken.put(JsonToken.START_OBJECT, reader);
                default -> byToken.put(JsonToken.VALUE_STRING, reader);
            }
        }
        String expected =
                schema.alternatives().stream().map(each -> each.kind().words).collect(Collectors.joining(" or "));
        return parser -> {
            ValueReader reader = byToken.get(parser.currentToken());
            if (reader == null) {
                throw ValueReader.wrongType(parser, expected);
            }
            return reader.read(parser);
        };
    }

    private static ValueReader checked(ValueReader reader, List<Rule> rules) {
        if (rules.isEmpty()) {
            return reader;
        }
        Rule[] each = rules.toArray(Rule[]::new);
        return parser -> {
            Object value = reader.read(parser);
            for (Rule rule : each) {
                String problem = rule.problem(value, parser);
                if (problem != null) {
                    throw BadRecordException.at(parser, problem);
                }
            }
            return value;
        };
    }

    private static ValueReader reader(LogicalType type, SchemaNode schema, TimestampFormat timestampFormat) {
        String name = type.copy(true).asSummaryString();
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> ValueReaders::readBoolean;
            case TINYINT -> parser -> (byte) wholeNumber(parser, name, Byte.MIN_VALUE, Byte.MAX_VALUE);
            case SMALLINT -> parser -> (short) wholeNumber(parser, name, Short.MIN_VALUE, Short.MAX_VALUE);
            case INTEGER, INTERVAL_YEAR_MONTH -> parser ->
                    (int) wholeNumber(parser, name, Integer.MIN_VALUE, Integer.MAX_VALUE);
            case BIGINT, INTERVAL_DAY_TIME -> parser -> wholeNumber(parser, name, Long.MIN_VALUE, Long.MAX_VALUE);
            case FLOAT -> ValueReaders::readFloat;
            case DOUBLE -> ValueReaders::readDouble;
            case DECIMAL -> decimal((DecimalType) type, schema.kind() == SchemaNode.Kind.ANYTHING);
            case CHAR, VARCHAR -> string(type);
            case BINARY, VARBINARY -> binary(type, schema.kind() == SchemaNode.Kind.BASE64);
            case DATE -> temporal(
                    name,
                    DateTimeFormatter.ISO_LOCAL_DATE,
                    LocalDate::from,
                    date -> (int) date.toEpochDay());
            case TIME_WITHOUT_TIME_ZONE -> temporal(
                    name,
                    TimeFormats.SQL_TIME_FORMAT,
                    LocalTime::from,
                    time -> (int) (time.toNanoOfDay() / 1_000_000));
            case TIMESTAMP_WITHOUT_TIME_ZONE -> temporal(
                    name,
                    timestampFormat == TimestampFormat.SQL
                            ? TimeFormats.SQL_TIMESTAMP_FORMAT
                            : TimeFormats.ISO8601_TIMESTAMP_FORMAT,
                    LocalDateTime::from,
                    TimestampData::fromLocalDateTime);
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE -> temporal(
                    name,
                    timestampFormat == TimestampFormat.SQL
                            ? TimeFormats.SQL_TIMESTAMP_WITH_LOCAL_TIMEZONE_FORMAT
                            : TimeFormats.ISO8601_TIMESTAMP_WITH_LOCAL_TIMEZONE_FORMAT,
                    LocalDateTime::from,
                    time -> TimestampData.fromInstant(time.toInstant(ZoneOffset.UTC)));
            case ARRAY -> array(((ArrayType) type).getElementType(), schema, timestampFormat);
            case MAP -> map(((MapType) type).getKeyType(), ((MapType) type).getValueType(), schema, timestampFormat);
            case MULTISET -> map(((MultisetType) type).getElementType(), new IntType(false), schema, timestampFormat);
            case ROW -> row((RowType) type, schema, timestampFormat);
            default -> throw new ValidationException("The guarded-json format can't read a column of type " + name);
        };
    }

    private static Object readBoolean(JsonParser parser) throws IOException {
        if (!parser.currentToken().isBoolean()) {
            throw ValueReader.wrongType(parser, "BOOLEAN");
        }
        return parser.getBooleanValue();
    }

    private static long wholeNumber(JsonParser parser, String type, long least, long greatest) throws IOException {
        checkNumber(parser, type);
        boolean whole = parser.currentToken() == JsonToken.VALUE_NUMBER_INT;
        if (whole && parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
            throw outOfRange(parser, type);
        }
        long number = whole ? parser.getLongValue() : wholeNumber(parser, type);
        if (number < least || number > greatest) {
            throw outOfRange(parser, type);
        }
        return number;
    }

    /** Integer of a number with a fraction or an exponent: 1.0 and 1e3 are whole. */
    private static long wholeNumber(JsonParser parser, String type) throws IOException {
        BigDecimal number = parser.getDecimalValue().stripTrailingZeros();
        if (number.scale() > 0) {
            throw BadRecordException.at(parser, quote(parser) + " is not a whole number, as " + type + " needs");
        }
        if (digitsBeforePoint(number) > DIGITS_OF_LONG) {
            throw outOfRange(parser, type);
        }
        try {
            return number.longValueExact();
        } catch (ArithmeticException tooLarge) {
            throw outOfRange(parser, type);
        }
    }

    private static Object readDouble(JsonParser parser) throws IOException {
        checkNumber(parser, "DOUBLE");
        double number = parser.getDoubleValue();
        if (Double.isInfinite(number)) {
            throw outOfRange(parser, "DOUBLE");
        }
        return number;
    }

    private static Object readFloat(JsonParser parser) throws IOException {
        checkNumber(parser, "FLOAT");
        float number = parser.getFloatValue();
        if (Float.isInfinite(number)) {
            throw outOfRange(parser, "FLOAT");
        }
        return number;
    }

    /** Reads a number, or a string with one: exact decimals are usually written as strings. */
    private static ValueReader decimal(DecimalType type, boolean orSpelled) {
        String name = type.copy(true).asSummaryString();
        int scale = type.getScale();
        int beforePoint = type.getPrecision() - scale;
        return parser -> {
            BigDecimal number = decimalValue(parser, name, orSpelled).stripTrailingZeros();
            if (digitsBeforePoint(number) > beforePoint) {
                throw outOfRange(parser, name);
            }
            if (number.scale() > scale) {
                throw BadRecordException.at(parser, quote(parser) + " has more decimals than " + name);
            }
            return DecimalData.fromBigDecimal(number, type.getPrecision(), scale);
        };
    }

    private static BigDecimal decimalValue(JsonParser parser, String type, boolean orSpelled) throws IOException {
        if (parser.currentToken() != JsonToken.VALUE_STRING || !orSpelled) {
            checkNumber(parser, type);
            return parser.getDecimalValue();
        }
        String text = parser.getText();
        if (text.length() > LONGEST_NUMBER || !NUMBER.matcher(text).matches()) {
            throw BadRecordException.at(parser, quote(parser) + " is not a number, as " + type + " needs");
        }
        return new BigDecimal(text);
    }

    /** Number of digits, computed without writing them out: the exponent may be enormous. */
    private static long digitsBeforePoint(BigDecimal number) {
        return number.signum() == 0 ? 0 : (long) number.precision() - number.scale();
    }

    private static ValueReader string(LogicalType type) {
        String name = type.copy(true).asSummaryString();
        int longest = LogicalTypeChecks.getLength(type);
        int shortest = type.is(LogicalTypeRoot.CHAR) ? longest : 0;
        return parser -> {
            String text = text(parser, name);
            if (text.length() > longest || text.length() < shortest || longest < Integer.MAX_VALUE) {
                checkLength(parser, name, text.codePointCount(0, text.length()), shortest, longest);
            }
            return StringData.fromString(text);
        };
    }

    /**
     * Reads base64. Flink's reader skips white space and accepts more than one end; with a schema, neither is valid.
     */
    private static ValueReader binary(LogicalType type, boolean strict) {
        String name = type.copy(true).asSummaryString();
        int longest = LogicalTypeChecks.getLength(type);
        int shortest = type.is(LogicalTypeRoot.BINARY) ? longest : 0;
        return parser -> {
            checkString(parser, name);
            byte[] bytes;
            try {
                bytes = strict ? bytesOf(parser.getText()) : parser.getBinaryValue();
            } catch (JsonProcessingException | IllegalArgumentException notBase64) {
                throw BadRecordException.at(parser, "not base64, as " + name + " needs");
            }
            checkLength(parser, name, bytes.length, shortest, longest);
            return bytes;
        };
    }

    private static byte[] bytesOf(String base64) {
        byte[] bytes = Base64.getDecoder().decode(base64);
        if (!Base64.getEncoder().encodeToString(bytes).equals(base64)) {
            throw new IllegalArgumentException("Padding is missing, or bits are left over");
        }
        return bytes;
    }

    private static void checkLength(JsonParser parser, String type, int length, int shortest, int longest)
            throws IOException {
        if (length < shortest || length > longest) {
            throw BadRecordException.at(parser, "of length " + length + ", which is not " + type);
        }
    }

    private interface Converter<T> {
        Object convert(T value);
    }

    /** Reads Flink's formats, but refuses the 30th of February instead of reading it as the 28th. */
    private static <T> ValueReader temporal(
            String type, DateTimeFormatter format, TemporalQuery<T> query, Converter<T> converter) {
        DateTimeFormatter strict = format.withResolverStyle(ResolverStyle.STRICT);
        return parser -> {
            String text = text(parser, type);
            try {
                return converter.convert(strict.parse(text, query));
            } catch (DateTimeException wrong) {
                throw BadRecordException.at(parser, quote(parser) + " is not a " + type + " as it is written here");
            }
        };
    }

    private static ValueReader array(LogicalType elementType, SchemaNode schema, TimestampFormat timestampFormat) {
        ValueReader element = element(elementType, schema, timestampFormat);
        return array(element, LogicalTypeUtils.toInternalConversionClass(elementType));
    }

    private static ValueReader array(ValueReader element, Class<?> elementClass) {
        Object[] none = (Object[]) Array.newInstance(elementClass, 0);
        return parser -> {
            if (parser.currentToken() != JsonToken.START_ARRAY) {
                throw ValueReader.wrongType(parser, "an array");
            }
            List<Object> elements = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                elements.add(element.read(parser));
            }
            return new GenericArrayData(elements.toArray(none));
        };
    }

    private static ValueReader map(
            LogicalType keyType, LogicalType valueType, SchemaNode schema, TimestampFormat timestampFormat) {
        if (!keyType.is(LogicalTypeFamily.CHARACTER_STRING)) {
            throw new ValidationException("The guarded-json format can't read a map whose keys are " + keyType);
        }
        return map(element(valueType, schema, timestampFormat));
    }

    private static ValueReader map(ValueReader value) {
        return parser -> {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw ValueReader.wrongType(parser, RowReader.EXPECTED);
            }
            Map<StringData, Object> entries = new HashMap<>();
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                checkCharacters(parser, name);
                parser.nextToken();
                entries.put(StringData.fromString(name), value.read(parser));
            }
            return new GenericMapData(entries);
        };
    }

    private static ValueReader element(LogicalType type, SchemaNode schema, TimestampFormat timestampFormat) {
        SchemaNode element = schema.elementsOrAnything();
        return element(of(type, element, timestampFormat), type.isNullable() && element.nullable());
    }

    private static ValueReader element(ValueReader reader, boolean nullable) {
        return parser -> {
            if (parser.currentToken() != JsonToken.VALUE_NULL) {
                return reader.read(parser);
            }
            if (!nullable) {
                throw BadRecordException.at(parser, "null, but it is required");
            }
            return null;
        };
    }

    private static ValueReader row(RowType type, SchemaNode schema, TimestampFormat timestampFormat) {
        return new RowReader(
                type,
                schema,
                field -> true,
                field -> !type.getTypeAt(type.getFieldIndex(field)).isNullable(),
                timestampFormat);
    }

    private static void checkNumber(JsonParser parser, String type) throws IOException {
        if (!parser.currentToken().isNumeric()) {
            throw ValueReader.wrongType(parser, type);
        }
    }

    private static void checkString(JsonParser parser, String type) throws IOException {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
            throw ValueReader.wrongType(parser, type);
        }
    }

    private static String text(JsonParser parser, String type) throws IOException {
        checkString(parser, type);
        String text = parser.getText();
        checkCharacters(parser, text);
        return text;
    }

    /**
     * Refuses half a surrogate pair, which only an escape can write: it has no UTF-8, and Flink writes a question mark.
     */
    private static void checkCharacters(JsonParser parser, String text) throws IOException {
        if (!Utf8.canEncode(text)) {
            throw BadRecordException.at(parser, "half of a surrogate pair is not a character");
        }
    }

    private static BadRecordException outOfRange(JsonParser parser, String type) throws IOException {
        return BadRecordException.at(parser, quote(parser) + " is out of range of " + type);
    }

    /** The parser's token as it is written, or what a string holds. */
    static String quote(JsonParser parser) throws IOException {
        return shortened(parser.getText());
    }

    /** A string as JSON. */
    static String quoteText(String text) {
        return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(shortened(text))) + '"';
    }

    private static String shortened(String text) {
        if (text.length() <= LONGEST_QUOTE) {
            return text;
        }
        boolean splitsPair = Character.isHighSurrogate(text.charAt(LONGEST_QUOTE - 1));
        return text.substring(0, splitsPair ? LONGEST_QUOTE - 1 : LONGEST_QUOTE) + "…";
    }
}
