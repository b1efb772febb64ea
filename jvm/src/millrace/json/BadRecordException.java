package millrace.json;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonLocation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonStreamContext;

/** The record is wrong; the message is for the reader of a dead letter. */
final class BadRecordException extends IOException {

    private static final long serialVersionUID = 1L;
    private static final int LONGEST = 1000;

    BadRecordException(String message) {
        super(message.length() <= LONGEST ? message : message.substring(0, LONGEST) + "…");
    }

    /** What is wrong with the value that the parser stands at. */
    static BadRecordException at(JsonParser parser, String problem) {
        String path = path(parser);
        String where = path.isEmpty() ? "" : path + ": ";
        return new BadRecordException(where + problem + position(parser.currentTokenLocation()));
    }

    /** What is wrong with a field of the object at whose end the parser stands. */
    static BadRecordException inField(JsonParser parser, String field, String problem) {
        String path = path(parser);
        return new BadRecordException((path.isEmpty() ? "" : path + ".") + field + " " + problem);
    }

    /** The parser's own complaint, without what it says of its settings. */
    static BadRecordException of(JsonProcessingException failure) {
        String complaint = failure.getOriginalMessage().lines().findFirst().orElse("");
        String problem =
                complaint.startsWith("Unexpected end-of-input")
                        ? "the document ends too early"
                        : complaint.replaceAll(", from `[^`]*`", "");
        return new BadRecordException(problem + position(failure.getLocation()));
    }

    static String position(JsonLocation location) {
        return location == null ? "" : " (byte " + location.getByteOffset() + ")";
    }

    /** Such as {@code lines[2].quantity}; empty for the document itself. */
    private static String path(JsonParser parser) {
        JsonStreamContext context = parser.getParsingContext();
        if (parser.currentToken().isStructStart()) {
            context = context.getParent();
        }
        Deque<String> steps = new ArrayDeque<>();
        for (; !context.inRoot(); context = context.getParent()) {
            steps.push(context.inArray() ? "[" + context.getCurrentIndex() + "]" : "." + context.getCurrentName());
        }
        String path = String.join("", steps);
        return path.startsWith(".") ? path.substring(1) : path;
    }

    /** Nobody reads its stack, and a flood of bad records must not cost more than one of good ones. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
