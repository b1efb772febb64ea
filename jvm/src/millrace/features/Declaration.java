package millrace.features;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import millrace.features.Aggregate.Argument;
import millrace.features.Feature.Where;
import millrace.features.Token.Kind;
import millrace.planning.NameSuggestion;
import org.apache.flink.table.api.ValidationException;

/**
 * Parses a features declaration: features separated by commas or newlines, {@code --} comments, each written
 * {@code name = aggregate(column) over 10 minutes where column = 'text'}.
 *
 * <p>{@code udfs/fraud/features.py} is the same parser with the same errors, for declarations that Python validates.
 */
final class Declaration {

    static final String SHAPE =
            "a feature is written name = aggregate(column) over 10 minutes where column = 'text'";
    static final long LONGEST_WINDOW_MS = 24 * 3_600_000L;
    static final List<String> OUTPUT_FLAGS = List.of("is_duplicate", "is_late", "is_truncated");

    private static final int MOST_RECENT = 50;
    private static final int MOST_DIGITS = 9;
    private static final Map<String, Long> UNITS_MS = new LinkedHashMap<>();

    static {
        UNITS_MS.put("second", 1_000L);
        UNITS_MS.put("seconds", 1_000L);
        UNITS_MS.put("minute", 60_000L);
        UNITS_MS.put("minutes", 60_000L);
        UNITS_MS.put("hour", 3_600_000L);
        UNITS_MS.put("hours", 3_600_000L);
    }

    private final Map<String, ColumnKind> columns;
    private final List<Token> tokens;
    private int next;
    private String usage = SHAPE;

    private Declaration(String text, Map<String, ColumnKind> columns) {
        this.columns = columns;
        this.tokens = Token.all(text);
    }

    /**
     * Returns the features that {@code text} declares over a table with these columns, in the order of the text.
     *
     * @throws ValidationException the declaration is invalid; the message has the place, the reason and the remedy
     */
    static List<Feature> parse(String text, Map<String, ColumnKind> columns) {
        return new Declaration(text, columns).parse();
    }

    private List<Feature> parse() {
        List<Feature> features = new ArrayList<>();
        Map<String, Integer> lines = new HashMap<>();
        while (skipSeparators()) {
            usage = SHAPE;
            Token name = newName(lines);
            lines.put(name.text(), name.line());
            features.add(feature(name.text()));
        }
        if (features.isEmpty()) {
            throw peek().error("no feature is declared", SHAPE);
        }
        return features;
    }

    private boolean skipSeparators() {
        while (peek().kind() == Kind.NEWLINE || peek().is(Kind.SIGN, ",")) {
            next++;
        }
        return peek().kind() != Kind.END;
    }

    private Token newName(Map<String, Integer> lines) {
        Token token = expect(Kind.NAME, "the name of a feature");
        String name = token.text();
        if (!name.matches("[a-z][a-z0-9_]*")) {
            throw token.error(
                    "the name '" + name + "' is not in lower_snake_case",
                    "use small letters, digits and _, and start with a letter");
        }
        String takenBy = whoTook(name, lines);
        if (takenBy != null) {
            throw token.error("the name '" + name + "' is taken by " + takenBy, "give the feature another name");
        }
        return token;
    }

    private String whoTook(String name, Map<String, Integer> lines) {
        if (lines.containsKey(name)) {
            return "the feature on line " + lines.get(name);
        }
        if (OUTPUT_FLAGS.contains(name) || name.equals("rowtime")) {
            return "an output column that is always there";
        }
        return columns.containsKey(name) ? "an input column" : null;
    }

    private Feature feature(String name) {
        expectSign("=");
        Aggregate aggregate = aggregate();
        usage = aggregate.word() + " is written " + aggregate.usage;
        List<String> itsColumns = new ArrayList<>();
        int limit = arguments(aggregate, itsColumns);
        long windowMs = aggregate.windowed ? window() : 0;
        Where where = where();
        expectEndOfFeature();
        return new Feature(name, aggregate, itsColumns, windowMs, where, limit);
    }

    private Aggregate aggregate() {
        Token token = expect(Kind.NAME, "an aggregate");
        String word = token.text().toLowerCase(Locale.ROOT);
        for (Aggregate aggregate : Aggregate.values()) {
            if (aggregate.word().equals(word)) {
                return aggregate;
            }
        }
        List<String> known = Arrays.stream(Aggregate.values()).map(Aggregate::word).toList();
        throw token.error("unknown aggregate '" + token.text() + "'", NameSuggestion.of(word, known, "aggregates"));
    }

    /** Adds the columns that are named and returns the limit, 0 if there is none. */
    private int arguments(Aggregate aggregate, List<String> itsColumns) {
        int limit = 0;
        expectSign("(");
        for (int position = 0; position < aggregate.arguments.size(); position++) {
            if (position > 0) {
                expectSign(",");
            }
            Argument wanted = aggregate.arguments.get(position);
            if (wanted == Argument.LIMIT) {
                limit = limit(aggregate);
            } else {
                itsColumns.add(column(aggregate.word(), wanted));
            }
        }
        expectSign(")");
        return limit;
    }

    private String column(String user, Argument wanted) {
        Token token = expect(Kind.NAME, "a column");
        ColumnKind kind = columns.get(token.text());
        if (kind == null) {
            throw token.error(
                    "unknown column '" + token.text() + "'",
                    NameSuggestion.of(token.text(), List.copyOf(columns.keySet()), "columns"));
        }
        if (!wanted.kindsThatFit.contains(kind)) {
            throw token.error(
                    user + " needs " + wanted.inWords + ", but '" + token.text() + "' is " + kind.inWords,
                    columnsThatFit(wanted));
        }
        return token.text();
    }

    private String columnsThatFit(Argument wanted) {
        String fitting =
                columns.entrySet().stream()
                        .filter(column -> wanted.kindsThatFit.contains(column.getValue()))
                        .map(Map.Entry::getKey)
                        .collect(Collectors.joining(", "));
        return fitting.isEmpty() ? "no column fits" : "the columns that fit are " + fitting;
    }

    private int limit(Aggregate aggregate) {
        Token token = expect(Kind.NUMBER, "a number");
        int limit = wholeNumber(token);
        if (limit < 1 || limit > MOST_RECENT) {
            throw token.error(
                    aggregate.word() + " keeps 1 to " + MOST_RECENT + " values, not " + token.text(),
                    "use a number from 1 to " + MOST_RECENT);
        }
        return limit;
    }

    private long window() {
        if (!isWord("over")) {
            throw unexpected("'over'");
        }
        next++;
        Token number = expect(Kind.NUMBER, "a number");
        Token unit = expect(Kind.NAME, "a unit of time");
        Long unitMs = UNITS_MS.get(unit.text().toLowerCase(Locale.ROOT));
        if (unitMs == null) {
            throw unit.error(
                    "unknown unit '" + unit.text() + "'", "the units are " + String.join(", ", UNITS_MS.keySet()));
        }
        long windowMs = wholeNumber(number) * unitMs;
        String inWords = "a window of " + number.text() + " " + unit.text();
        if (windowMs == 0) {
            throw number.error(inWords + " is empty", "use at least 1");
        }
        if (windowMs > LONGEST_WINDOW_MS) {
            throw number.error(inWords + " is too long", "the longest window is 24 hours");
        }
        return windowMs;
    }

    private Where where() {
        if (!isWord("where")) {
            return null;
        }
        next++;
        String column = column("where", Argument.TEXT);
        expectSign("=");
        String value = expect(Kind.TEXT, "a text in quotes").text();
        return new Where(column, value.substring(1, value.length() - 1).replace("''", "'"));
    }

    private void expectEndOfFeature() {
        Token token = peek();
        if (token.kind() != Kind.NEWLINE && token.kind() != Kind.END && !token.is(Kind.SIGN, ",")) {
            throw unexpected("the end of the feature");
        }
    }

    private Token peek() {
        return tokens.get(next);
    }

    private Token expect(Kind kind, String inWords) {
        Token token = peek();
        if (token.kind() != kind) {
            throw unexpected(inWords);
        }
        next++;
        return token;
    }

    private void expectSign(String sign) {
        if (!peek().is(Kind.SIGN, sign)) {
            throw unexpected("'" + sign + "'");
        }
        next++;
    }

    private boolean isWord(String word) {
        return peek().kind() == Kind.NAME && peek().text().equalsIgnoreCase(word);
    }

    private ValidationException unexpected(String expected) {
        return peek().error("expected " + expected + " but found " + peek().inWords(), usage);
    }

    private static int wholeNumber(Token token) {
        if (token.text().length() > MOST_DIGITS) {
            throw token.error("the number " + token.text() + " is too long", "use at most " + MOST_DIGITS + " digits");
        }
        return Integer.parseInt(token.text());
    }
}
