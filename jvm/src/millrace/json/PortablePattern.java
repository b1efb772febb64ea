package millrace.json;

import java.io.Serializable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/**
 * A regular expression that means the same in Java as in the dialect of JSON Schema (ECMA-262), to be found anywhere in
 * a text, in time that grows with the length of the text and of the pattern only.
 *
 * <p>Java backtracks where a repetition or an alternative doesn't lead to a match, which can take years. So a pattern
 * with any of them is matched by RE2, which follows all ways at once; one without is matched by Java, in a third of the
 * time.
 */
final class PortablePattern implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final int MOST_STEPS = 300;
    private static final String CHARACTER = "[^\\\\\\[\\](){}*+?.^$|]";
    private static final String ESCAPED = "\\\\[\\\\^$.*+?()\\[\\]{}|/-]";
    private static final String CLASS = "\\[\\^?(?:(?!&&)[^\\\\\\[\\]^]|" + ESCAPED + ")+]";
    private static final String REPETITION =
            "(?:(?<any>[*+?])|\\{(?<least>[0-9]{1,4})(?<most>,(?:[0-9]{1,4})?)?})\\??(?![*+?{])";
    private static final String GROUP = "\\((?:\\?:)?|\\)(?<perhaps>\\?)?(?![*+?{])";
    private static final Pattern TOKEN =
            Pattern.compile(
                    "(?:" + String.join("|", CHARACTER, ESCAPED, CLASS) + "|\\.)(?:" + REPETITION + ")?|"
                            + GROUP + "|(?<or>\\|)|\\^|\\$");

    private final Pattern java;
    private final com.google.re2j.Pattern re2;

    private PortablePattern(String translated, boolean mayBackUp) {
        java = mayBackUp ? null : Pattern.compile(translated);
        re2 = mayBackUp ? com.google.re2j.Pattern.compile(translated) : null;
    }

    /**
     * Compiles a pattern.
     *
     * @throws IllegalArgumentException it is unsupported; the message continues a sentence that begins with the pattern
     */
    static PortablePattern compile(String source) {
        StringBuilder translated = new StringBuilder();
        Matcher token = TOKEN.matcher(source);
        int end = 0;
        int steps = 0;
        boolean mayBackUp = false;
        while (end < source.length() && token.region(end, source.length()).lookingAt()) {
            translated.append(translation(token.group()));
            steps += Math.max(count(token.group("least")), count(token.group("most")));
            mayBackUp |= Stream.of("any", "most", "perhaps", "or").anyMatch(name -> token.group(name) != null);
            end = token.end();
        }
        if (end < source.length()) {
            throw new IllegalArgumentException(
                    "can't be used from \"" + source.substring(end) + "\" on: what all readers understand alike are"
                            + " characters, escaped or not, classes such as [A-Z], repetitions of one of these, ^ $ . |"
                            + " and groups that are not repeated");
        }
        try {
            Pattern.compile(translated.toString());
        } catch (PatternSyntaxException wrong) {
            throw new IllegalArgumentException("is wrong: " + wrong.getDescription());
        }
        if (steps > MOST_STEPS) {
            throw new IllegalArgumentException(
                    "has " + steps + " steps, counting repetitions; at most " + MOST_STEPS
                            + " are matched in a bounded time: use minLength and maxLength for long texts");
        }
        return new PortablePattern(translated.toString(), mayBackUp);
    }

    boolean isFoundIn(String text) {
        return java == null ? re2.matcher(text).find() : java.matcher(text).find();
    }

    /** Number in {@code 12} or {@code ,12}; 1 if there is none. */
    private static int count(String digits) {
        String number = digits == null ? "" : digits.replace(",", "");
        return number.isEmpty() ? 1 : Integer.parseInt(number);
    }

    /**
     * Translation of a token: in Java, $ also matches before a final line break, and . excludes one line break more.
     */
    private static String translation(String token) {
        if (token.equals("$")) {
            return "\\z";
        }
        return token.startsWith(".") ? "[^\n\r\u2028\u2029]" + token.substring(1) : token;
    }
}
