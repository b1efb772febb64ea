package millrace.json;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonLocation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonStreamContext;

/** A record is bad; the message is the reason in its dead letter. */
final class BadRecordException extends IOException {

    private static final long serialVersionUID = 1L;
    private static final int LONGEST = 1000;

    BadRecordException(String message) {
        super(message.length() <= LONGEST ? message : message.substring(0, LONGEST) + "…");
    }

    /** An exception for the value that the parser stands at. */
    static BadRecordException at(JsonParser parser, String problem) {
        String path = path(parser);
        String where = path.isEmpty() ? "" : path + ": ";
        return new BadRecordException(where + problem + position(parser.currentTokenLocation()));
    }

    /** An exception for a field of the object at whose end the parser stands. */
    static BadRecordException inField(JsonParser parser, String field, String problem) {
        String path = path(parser);
        return new BadRecordException((path.isEmpty() ? "" : path + ".") + field + " " + problem);
    }

    /** An exception with the parser's own message, without the part about its settings. */
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

    /** Path of the parser's place, such as {@code lines[2].quantity}; empty for the document itself. */
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

    /** Without a stack trace: it isn't used, and many bad records must not cost more than as many good ones. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
