package millrace.json;

import java.io.IOException;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;

/** Reads one JSON value into Flink's internal form. */
interface ValueReader {

    /**
     * Reads the value that the parser stands at, which is not null, up to its last token.
     *
     * @throws BadRecordException it is of another type, or out of the type's range
     */
    Object read(JsonParser parser) throws IOException;

    static BadRecordException wrongType(JsonParser parser, String expected) {
        String found =
                switch (parser.currentToken()) {
                    case START_OBJECT -> "an object";
                    case START_ARRAY -> "an array";
                    case VALUE_STRING -> "a string";
                    case VALUE_TRUE, VALUE_FALSE -> "a boolean";
                    case VALUE_NULL -> "null";
                    default -> "a number";
                };
        return BadRecordException.at(parser, found + " where " + expected + " is expected");
    }
}
