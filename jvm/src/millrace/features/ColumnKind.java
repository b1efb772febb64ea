package millrace.features;

import org.apache.flink.table.types.logical.LogicalType;

/** Kinds of columns, as far as features differ by them. */
enum ColumnKind {
    TEXT("text"),
    INTEGER("an integer"),
    DOUBLE("a double"),
    OTHER("neither text nor a number");

    final String inWords;

    ColumnKind(String inWords) {
        this.inWords = inWords;
    }

    static ColumnKind of(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case CHAR, VARCHAR -> TEXT;
            case TINYINT, SMALLINT, INTEGER, BIGINT -> INTEGER;
            case FLOAT, DOUBLE -> DOUBLE;
            default -> OTHER;
        };
    }
}
