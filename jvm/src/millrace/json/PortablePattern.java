package millrace.json;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Regular expressions that mean the same in Java as in the dialect of JSON Schema (ECMA-262), and whose match takes
 * neither a deep stack nor exponential time, whatever the text.
 */
final class PortablePattern {

    private static final String CHARACTER = "[^\\\\\\[\\](){}*+?.^$|]";
    private static final String ESCAPED = "\\\\[\\\\^$.*+?()\\[\\]{}|/-]";
    private static final String CLASS = "\\[\\^?(?:(?!&&)[^\\\\\\[\\]^]|" + ESCAPED + ")+]";
    private static final String REPETITION = "(?:[*+?]|\\{[0-9]{1,4}(?:,(?:[0-9]{1,4})?)?})\\??(?![*+?{])";
    private static final String GROUP = "\\((?:\\?:)?|\\)\\??(?![*+?{])";
    private static final Pattern TOKEN =
            Pattern.compile(
                    "(?:" + String.join("|", CHARACTER, ESCAPED, CLASS) + "|\\.)(?:" + REPETITION + ")?|"
                            + GROUP + "|\\||\\^|\\$");

    private PortablePattern() {}

    /**
     * To be found anywhere in a text.
     *
     * @throws IllegalArgumentException says what it can't have, to be read after the pattern itself
     */
    static Pattern compile(String pattern) {
        StringBuilder translated = new StringBuilder();
        Matcher token = TOKEN.matcher(pattern);
        int end = 0;
        while (end < pattern.length() && token.region(end, pattern.length()).lookingAt()) {
            translated.append(translation(token.group()));
            end = token.end();
        }
        if (end < pattern.length()) {
            throw new IllegalArgumentException(
                    "can't be used from \"" + pattern.substring(end) + "\" on: what all readers understand alike are"
                            + " characters, escaped or not, classes such as [A-Z], repetitions of one of these, ^ $ . |"
                            + " and groups that are not repeated");
        }
        try {
            return Pattern.compile(translated.toString());
        } catch (PatternSyntaxException wrong) {
            throw new IllegalArgumentException("is wrong: " + wrong.getDescription());
        }
    }

    /** In Java, $ also matches before a line break at the end, and . knows one line break more. */
    private static String translation(String token) {
        if (token.equals("$")) {
            return "\\z";
        }
        return token.startsWith(".") ? "[^\\n\\r\\u2028\\u2029]" + token.substring(1) : token;
    }
}
