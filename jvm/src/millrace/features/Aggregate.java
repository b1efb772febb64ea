package millrace.features;

import java.util.List;
import java.util.Locale;

/** Kinds of features: their word, their arguments, and whether they use a window or the previous event. */
enum Aggregate {
    COUNT("count() over 10 minutes", true),
    SUM("sum(column) over 10 minutes", true, Argument.NUMBER),
    MIN("min(column) over 10 minutes", true, Argument.NUMBER),
    MAX("max(column) over 10 minutes", true, Argument.NUMBER),
    AVG("avg(column) over 10 minutes", true, Argument.NUMBER),
    DISTINCT("distinct(column) over 10 minutes", true, Argument.ANY),
    PREVIOUS("previous(column)", false, Argument.ANY),
    SECONDS_SINCE_PREVIOUS("seconds_since_previous()", false),
    DISTANCE_KM_FROM_PREVIOUS(
            "distance_km_from_previous(latitude_column, longitude_column)", false, Argument.NUMBER, Argument.NUMBER),
    RECENT("recent(column, 20) over 10 minutes", true, Argument.TEXT, Argument.LIMIT);

    /** Kinds of arguments in an aggregate's parentheses. */
    enum Argument {
        ANY("text or a number", ColumnKind.TEXT, ColumnKind.INTEGER, ColumnKind.DOUBLE),
        NUMBER("a number", ColumnKind.INTEGER, ColumnKind.DOUBLE),
        TEXT("text", ColumnKind.TEXT),
        LIMIT("a number");

        final String inWords;
        final List<ColumnKind> kindsThatFit;

        Argument(String inWords, ColumnKind... kindsThatFit) {
            this.inWords = inWords;
            this.kindsThatFit = List.of(kindsThatFit);
        }
    }

    final String usage;
    final boolean windowed;
    final List<Argument> arguments;

    Aggregate(String usage, boolean windowed, Argument... arguments) {
        this.usage = usage;
        this.windowed = windowed;
        this.arguments = List.of(arguments);
    }

    /** Word for it in a declaration. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
