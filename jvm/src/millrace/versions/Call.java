package millrace.versions;

import java.io.Serializable;
import java.util.EnumSet;
import millrace.planning.Suggestion;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.TableSemantics;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

/**
 * One call of {@code row_versions} in a query: its checked arguments.
 *
 * @param row type of the input
 * @param version place of the column with the version's number
 */
record Call(RowType row, int version) implements Serializable {

    static final String PREVIOUS = "previous";

    private static final int INPUT = 0;
    private static final int VERSION = 1;

    private static final EnumSet<StaticArgumentTrait> INPUT_TRAITS =
            EnumSet.of(
                    StaticArgumentTrait.TABLE,
                    StaticArgumentTrait.SET_SEMANTIC_TABLE,
                    StaticArgumentTrait.PASS_COLUMNS_THROUGH,
                    StaticArgumentTrait.REQUIRE_ON_TIME);

    /** The signature: any table with a row time. */
    static StaticArgument[] anyArguments() {
        return arguments(StaticArgument.table("input", RowData.class, false, INPUT_TRAITS));
    }

    /** The signature of this call; only a table of a given type is handed over without conversion. */
    StaticArgument[] itsArguments() {
        DataType type = DataTypes.of(row).bridgedTo(RowData.class);
        return arguments(StaticArgument.table("input", type, false, INPUT_TRAITS));
    }

    private static StaticArgument[] arguments(StaticArgument input) {
        DataType text = DataTypes.STRING().bridgedTo(StringData.class);
        return new StaticArgument[] {input, StaticArgument.scalar("version", text, false)};
    }

    /**
     * The arguments as planning knows them.
     *
     * @throws ValidationException if one can't be used
     */
    static Call of(CallContext context) {
        TableSemantics input =
                context.getTableSemantics(INPUT)
                        .orElseThrow(() -> new ValidationException("input must be a table: input => TABLE changes"));
        String column =
                context.getArgumentValue(VERSION, String.class)
                        .orElseThrow(() -> new ValidationException("version must be a column's name in quotes"));
        RowType row = (RowType) input.dataType().getLogicalType();
        int version = row.getFieldIndex(column);
        if (version < 0) {
            String suggestion = Suggestion.of(column, row.getFieldNames(), "columns");
            throw new ValidationException("version: unknown column '" + column + "'; " + suggestion);
        }
        if (!row.getTypeAt(version).is(LogicalTypeRoot.BIGINT)) {
            throw new ValidationException(
                    "version needs a BIGINT, but '" + column + "' is "
                            + row.getTypeAt(version).copy(true).asSummaryString() + "; cast it in a view");
        }
        return new Call(row, version);
    }

    /** Of a stored version; its time is a timestamp like any other. */
    RowType storedType() {
        return (RowType) LogicalTypeUtils.removeTimeAttributes(row).copy(true);
    }

    /** What the function adds to the input's columns. */
    DataType outputType() {
        return DataTypes.ROW(DataTypes.FIELD(PREVIOUS, DataTypes.of(storedType())))
                .notNull()
                .bridgedTo(RowData.class);
    }
}
