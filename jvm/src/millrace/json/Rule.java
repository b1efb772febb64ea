package millrace.json;

import java.io.IOException;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/** A requirement of a schema on a value, beyond its type. */
interface Rule extends Serializable {

    /**
     * Returns what is wrong with a value, such as {@code 95 is more than 90}; null if nothing is.
     *
     * @param value in Flink's internal form
     * @param parser stands at the value's last token
     */
    String problem(Object value, JsonParser parser) throws IOException;

    /** {@code integer}, as producers and readers in Python understand it: 2.0 and 2e0 are not integers. */
    record Whole() implements Rule {

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            return parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                    ? null
                    : ValueReaders.quote(parser) + " is not written as a whole number";
        }
    }

    /** {@code minimum}, {@code maximum} and their exclusive forms; a DOUBLE is compared as a double. */
    final class Bound implements Rule {

        private static final long serialVersionUID = 1L;

        private final BigDecimal limit;
        private final double asDouble;
        private final long asLong;
        private final boolean isLong;
        private final boolean lower;
        private final boolean exclusive;

        Bound(BigDecimal limit, boolean lower, boolean exclusive) {
            this.limit = limit;
            asDouble = limit.doubleValue();
            asLong = limit.longValue();
            isLong = limit.compareTo(BigDecimal.valueOf(asLong)) == 0;
            this.lower = lower;
            this.exclusive = exclusive;
        }

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            int beyond = lower ? -compare(value) : compare(value);
            if (beyond < 0 || (beyond == 0 && !exclusive)) {
                return null;
            }
            String words = lower == exclusive ? "more" : "less";
            return ValueReaders.quote(parser) + (exclusive ? " isn't " : " is ") + words + " than " + limit;
        }

        /** Compares the value with the limit. */
        private int compare(Object value) {
            if (value instanceof Double || value instanceof Float) {
                double number = ((Number) value).doubleValue();
                return number < asDouble ? -1 : number > asDouble ? 1 : 0;
            }
            if (value instanceof DecimalData decimal) {
                return decimal.toBigDecimal().compareTo(limit);
            }
            long number = ((Number) value).longValue();
            return isLong ? Long.compare(number, asLong) : BigDecimal.valueOf(number).compareTo(limit);
        }
    }

    /** {@code minLength} and {@code maxLength}, in characters of Unicode. */
    record Length(int least, int most) implements Rule {

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            String text = parser.getText();
            int units = text.length();
            if (units <= most && units >= 2L * least) {
                return null;
            }
            int length = text.codePointCount(0, units);
            if (length >= least && length <= most) {
                return null;
            }
            return ValueReaders.quoteText(text) + " is" + outside(length, "short", "long", least, most, "character");
        }
    }

    /** {@code minItems} and {@code maxItems}. */
    record Size(int least, int most) implements Rule {

        @Override
        public String problem(Object value, JsonParser parser) {
            int size = value instanceof ArrayData array ? array.size() : ((MapData) value).size();
            return size >= least && size <= most ? null : outside(size, "few", "many", least, most, "element").strip();
        }
    }

    /** {@code pattern}, which may be found anywhere in the text. */
    record Match(String source, PortablePattern pattern) implements Rule {

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            String text = parser.getText();
            return pattern.isFoundIn(text) ? null : ValueReaders.quoteText(text) + " doesn't match " + source;
        }
    }

    /** {@code enum} and {@code const} of strings. */
    record OneOfTexts(List<String> listed, Set<String> allowed) implements Rule {

        OneOfTexts(List<String> listed) {
            this(listed, Set.copyOf(listed));
        }

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            String text = parser.getText();
            return allowed.contains(text)
                    ? null
                    : ValueReaders.quoteText(text) + none(listed.stream().map(ValueReaders::quoteText).toList());
        }
    }

    /** {@code enum} and {@code const} of integers. */
    record OneOfNumbers(List<Long> listed, Set<Long> allowed) implements Rule {

        OneOfNumbers(List<Long> listed) {
            this(listed, Set.copyOf(listed));
        }

        @Override
        public String problem(Object value, JsonParser parser) throws IOException {
            return allowed.contains(((Number) value).longValue())
                    ? null
                    : ValueReaders.quote(parser) + none(listed.stream().map(String::valueOf).toList());
        }
    }

    private static String none(List<String> listed) {
        return (listed.size() == 1 ? " is not " : " is none of ") + listed.stream().collect(Collectors.joining(", "));
    }

    private static String outside(int found, String below, String above, int least, int most, String unit) {
        boolean tooSmall = found < least;
        int limit = tooSmall ? least : most;
        return " too " + (tooSmall ? below : above) + ": " + found + " " + unit + (found == 1 ? "" : "s")
                + ", at " + (tooSmall ? "least " : "most ") + limit;
    }
}
