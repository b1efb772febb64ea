package millrace.versions;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import millrace.planning.NameSuggestion;
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
 * One call of {@code join_versions} in a query: its checked arguments, as places of columns.
 *
 * @param input type of the rows that are joined, without time attributes
 * @param inputKeys the columns that these rows are partitioned by
 * @param versions type of the versions, without time attributes
 * @param versionKeys the columns that the versions are partitioned by
 * @param moment column of the input
 * @param version column of the versions, like the next two
 * @param hours hours after its moment in which a row is corrected
 */
record JoinVersionsCall(
        RowType input,
        Set<Integer> inputKeys,
        RowType versions,
        Set<Integer> versionKeys,
        int moment,
        int version,
        int validFrom,
        int deleted,
        int hours)
        implements Serializable {

    static final String FOUND_LATER = "found_later";
    static final int MOST_HOURS = 999;

    private static final int INPUT = 0;
    private static final int VERSIONS = 1;
    private static final int HOURS = 6;

    private static final EnumSet<StaticArgumentTrait> INPUT_TRAITS =
            EnumSet.of(StaticArgumentTrait.TABLE, StaticArgumentTrait.SET_SEMANTIC_TABLE);

    /** An argument that names a column; its place in the signature is its ordinal and two. */
    private enum Role {
        MOMENT("a BIGINT", LogicalTypeRoot.BIGINT),
        VERSION("a BIGINT", LogicalTypeRoot.BIGINT),
        VALID_FROM("a BIGINT", LogicalTypeRoot.BIGINT),
        DELETED("a BOOLEAN", LogicalTypeRoot.BOOLEAN);

        final String needs;
        final LogicalTypeRoot type;

        Role(String needs, LogicalTypeRoot type) {
            this.needs = needs;
            this.type = type;
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The signature: any two tables. */
    static StaticArgument[] anyArguments() {
        return arguments(
                StaticArgument.table("input", RowData.class, false, INPUT_TRAITS),
                StaticArgument.table("versions", RowData.class, false, INPUT_TRAITS));
    }

    /** The signature of this call; only a table of a given type is passed without conversion. */
    StaticArgument[] itsArguments() {
        return arguments(table("input", input), table("versions", versions));
    }

    private static StaticArgument table(String name, RowType row) {
        return StaticArgument.table(name, DataTypes.of(row).bridgedTo(RowData.class), false, INPUT_TRAITS);
    }

    private static StaticArgument[] arguments(StaticArgument input, StaticArgument versions) {
        DataType text = DataTypes.STRING().bridgedTo(StringData.class);
        List<StaticArgument> arguments = new ArrayList<>(List.of(input, versions));
        for (Role role : Role.values()) {
            arguments.add(StaticArgument.scalar(role.word(), text, false));
        }
        arguments.add(StaticArgument.scalar("hours", DataTypes.INT(), false));
        return arguments.toArray(StaticArgument[]::new);
    }

    /**
     * The arguments as planning knows them.
     *
     * @throws ValidationException if one can't be used
     */
    static JoinVersionsCall of(CallContext context) {
        TableSemantics input = semantics(context, INPUT, "input must be a table: input => TABLE order_lines");
        TableSemantics versions = semantics(context, VERSIONS, "versions must be a table: versions => TABLE changes");
        JoinVersionsCall call =
                new JoinVersionsCall(
                        row(input),
                        keys(input),
                        row(versions),
                        keys(versions),
                        place(context, input, Role.MOMENT),
                        place(context, versions, Role.VERSION),
                        place(context, versions, Role.VALID_FROM),
                        place(context, versions, Role.DELETED),
                        hours(context));
        call.checkNames();
        return call;
    }

    private static TableSemantics semantics(CallContext context, int argument, String otherwise) {
        return context.getTableSemantics(argument).orElseThrow(() -> new ValidationException(otherwise));
    }

    private static RowType row(TableSemantics table) {
        return (RowType) LogicalTypeUtils.removeTimeAttributes(table.dataType().getLogicalType());
    }

    private static Set<Integer> keys(TableSemantics table) {
        Set<Integer> keys = new HashSet<>();
        Arrays.stream(table.partitionByColumns()).forEach(keys::add);
        return keys;
    }

    private static int place(CallContext context, TableSemantics table, Role role) {
        String column =
                context.getArgumentValue(role.ordinal() + 2, String.class)
                        .orElseThrow(
                                () ->
                                        new ValidationException(
                                                role.word() + " must be a column's name in quotes: " + role.word()
                                                        + " => '…'"));
        RowType row = row(table);
        int place = row.getFieldIndex(column);
        if (place < 0) {
            String suggestion = NameSuggestion.of(column, row.getFieldNames(), "columns");
            throw new ValidationException(role.word() + ": unknown column '" + column + "'; " + suggestion);
        }
        if (!row.getTypeAt(place).is(role.type)) {
            throw new ValidationException(
                    role.word() + " needs " + role.needs + ", but '" + column + "' is "
                            + row.getTypeAt(place).copy(true).asSummaryString() + "; cast it in a view");
        }
        return place;
    }

    private static int hours(CallContext context) {
        int hours = context.getArgumentValue(HOURS, Integer.class).orElse(0);
        if (hours < 1 || hours > MOST_HOURS) {
            throw new ValidationException(
                    "hours must be a whole number from 1 to " + MOST_HOURS + ", such as hours => 24");
        }
        return hours;
    }

    private void checkNames() {
        Set<String> names = new HashSet<>(List.of(FOUND_LATER));
        input.getFieldNames().forEach(names::add);
        for (int column : versionColumns()) {
            String name = versions.getFieldNames().get(column);
            if (!names.add(name)) {
                throw new ValidationException(
                        "both the input and the versions have a column '" + name
                                + "', or it is named as a column of the output; name it otherwise in a view");
            }
        }
    }

    /** Places of the input's columns in the output: all but the key's, which Flink puts in front. */
    int[] inputColumns() {
        return IntStream.range(0, input.getFieldCount()).filter(column -> !inputKeys.contains(column)).toArray();
    }

    /** Places of the versions' columns in the output: a version's content, and its number. */
    int[] versionColumns() {
        return IntStream.range(0, versions.getFieldCount())
                .filter(column -> !versionKeys.contains(column) && column != validFrom && column != deleted)
                .toArray();
    }

    /** Columns that the function adds to the partition keys. */
    DataType outputType() {
        List<DataTypes.Field> fields = new ArrayList<>();
        for (int column : inputColumns()) {
            fields.add(DataTypes.FIELD(input.getFieldNames().get(column), DataTypes.of(input.getTypeAt(column))));
        }
        for (int column : versionColumns()) {
            DataType type = DataTypes.of(versions.getTypeAt(column).copy(true));
            fields.add(DataTypes.FIELD(versions.getFieldNames().get(column), type));
        }
        fields.add(DataTypes.FIELD(FOUND_LATER, DataTypes.BOOLEAN().notNull()));
        return DataTypes.ROW(fields).notNull().bridgedTo(RowData.class);
    }
}
