package millrace.features;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.table.api.ValidationException;

/**
 * A word of a declaration and its place.
 *
 * @param line from 1
 * @param column from 1, in characters
 */
record Token(Kind kind, String text, int line, int column) {

    enum Kind {
        NAME,
        NUMBER,
        TEXT,
        SIGN,
        NEWLINE,
        END
    }

    private static final Pattern WORDS =
            Pattern.compile(
                    "(?<space>[ \\t\\r]+|--[^\\n]*)"
                            + "|(?<newline>\\n)"
                            + "|(?<name>[A-Za-z_][A-Za-z0-9_]*)"
                            + "|(?<number>[0-9]+)"
                            + "|(?<text>'(?:[^'\\n]|'')*+')"
                            + "|(?<sign>[=(),])");

    /** The words of a declaration, closed by one of kind END. */
    static List<Token> all(String declaration) {
        List<Token> tokens = new ArrayList<>();
        Matcher words = WORDS.matcher(declaration);
        int line = 1;
        int lineStart = 0;
        int position = 0;
        while (position < declaration.length()) {
            int column = declaration.codePointCount(lineStart, position) + 1;
            words.region(position, declaration.length());
            if (!words.lookingAt()) {
                throw unreadable(declaration.codePointAt(position), line, column);
            }
            position = words.end();
            if (words.group("space") == null) {
                tokens.add(new Token(kindOf(words), words.group(), line, column));
            }
            if (words.group("newline") != null) {
                line++;
                lineStart = position;
            }
        }
        tokens.add(new Token(Kind.END, "", line, declaration.codePointCount(lineStart, position) + 1));
        return tokens;
    }

    private static Kind kindOf(Matcher words) {
        for (Kind kind : List.of(Kind.NAME, Kind.NUMBER, Kind.TEXT, Kind.SIGN)) {
            if (words.group(kind.name().toLowerCase(Locale.ROOT)) != null) {
                return kind;
            }
        }
        return Kind.NEWLINE;
    }

    private static ValidationException unreadable(int character, int line, int column) {
        return character == '\''
                ? error(line, column, "the text that starts here doesn't end on its line", "close it with '")
                : error(line, column, "unexpected '" + Character.toString(character) + "'", Declaration.SHAPE);
    }

    private static ValidationException error(int line, int column, String what, String next) {
        return new ValidationException("line " + line + ", column " + column + ": " + what + "; " + next);
    }

    /** Error about this word: what is wrong, and the remedy. */
    ValidationException error(String what, String next) {
        return error(line, column, what, next);
    }

    boolean is(Kind wanted, String wantedText) {
        return kind == wanted && text.equals(wantedText);
    }

    String inWords() {
        return switch (kind) {
            case END -> "the end";
            case NEWLINE -> "the end of the line";
            default -> "'" + text + "'";
        };
    }
}
