package millrace.parts;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
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
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

/**
 * One call of {@code gather_parts} in a query: its checked arguments, as places of columns.
 *
 * @param row type of the input, without time attributes
 * @param keys the columns that the input is partitioned by
 * @param openHours hours after its moment in which a whole may be corrected
 * @param ttlHours hours for which an unchanged key is kept
 */
record GatherPartsCall(
        RowType row,
        List<Integer> keys,
        int part,
        int parts,
        int whole,
        int missing,
        int later,
        int collected,
        int summed,
        int moment,
        int openHours,
        int ttlHours)
        implements Serializable {

    static final String REVISION = "revision";
    static final int MOST_HOURS = 8_760;

    private static final int INPUT = 0;
    private static final int OPEN_HOURS = 9;
    private static final int TTL_HOURS = 10;

    private static final Set<LogicalTypeRoot> TEXT = EnumSet.of(LogicalTypeRoot.CHAR, LogicalTypeRoot.VARCHAR);
    private static final Set<LogicalTypeRoot> INT = EnumSet.of(LogicalTypeRoot.INTEGER);
    private static final Set<LogicalTypeRoot> BIGINT = EnumSet.of(LogicalTypeRoot.BIGINT);
    private static final Set<LogicalTypeRoot> BOOLEAN = EnumSet.of(LogicalTypeRoot.BOOLEAN);
    private static final Set<LogicalTypeRoot> ANY = EnumSet.allOf(LogicalTypeRoot.class);

    private static final EnumSet<StaticArgumentTrait> INPUT_TRAITS =
            EnumSet.of(StaticArgumentTrait.TABLE, StaticArgumentTrait.SET_SEMANTIC_TABLE);

    /** An argument that names a column; its place in the signature is its ordinal and one. */
    private enum Role {
        PART("an INT", INT),
        PARTS("an INT", INT),
        WHOLE("a STRING", TEXT),
        MISSING("a STRING", TEXT),
        LATER("a BOOLEAN", BOOLEAN),
        COLLECTED("a column", ANY),
        SUMMED("a BIGINT", BIGINT),
        MOMENT("a BIGINT", BIGINT);

        final String needs;
        final Set<LogicalTypeRoot> types;

        Role(String needs, Set<LogicalTypeRoot> types) {
            this.needs = needs;
            this.types = types;
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The signature: any table. */
    static StaticArgument[] anyArguments() {
        return arguments(StaticArgument.table("input", RowData.class, false, INPUT_TRAITS));
    }

    /** The signature of this call; only a table of a given type is passed without conversion. */
    StaticArgument[] itsArguments() {
        DataType type = DataTypes.of(row).bridgedTo(RowData.class);
        return arguments(StaticArgument.table("input", type, false, INPUT_TRAITS));
    }

    private static StaticArgument[] arguments(StaticArgument input) {
        DataType text = DataTypes.STRING().bridgedTo(StringData.class);
        List<StaticArgument> arguments = new ArrayList<>(List.of(input));
        for (Role role : Role.values()) {
            arguments.add(StaticArgument.scalar(role.word(), text, false));
        }
        arguments.add(StaticArgument.scalar("open_hours", DataTypes.INT(), false));
        arguments.add(StaticArgument.scalar("ttl_hours", DataTypes.INT(), false));
        return arguments.toArray(StaticArgument[]::new);
    }

    /**
     * The arguments as planning knows them.
     *
     * @throws ValidationException if one can't be used
     */
    static GatherPartsCall of(CallContext context) {
        TableSemantics input =
                context.getTableSemantics(INPUT)
                        .orElseThrow(() -> new ValidationException("input must be a table: input => TABLE order_parts"));
        RowType row = (RowType) LogicalTypeUtils.removeTimeAttributes(input.dataType().getLogicalType());
        List<Integer> keys = Arrays.stream(input.partitionByColumns()).boxed().toList();
        if (row.getFieldIndex(REVISION) >= 0) {
            throw new ValidationException(
                    "the input has a column '" + REVISION + "', as the output will; name it otherwise in a view");
        }
        int[] places = places(context, row, keys);
        return new GatherPartsCall(
                row,
                keys,
                places[Role.PART.ordinal()],
                places[Role.PARTS.ordinal()],
                places[Role.WHOLE.ordinal()],
                places[Role.MISSING.ordinal()],
                places[Role.LATER.ordinal()],
                places[Role.COLLECTED.ordinal()],
                places[Role.SUMMED.ordinal()],
                places[Role.MOMENT.ordinal()],
                hours(context, OPEN_HOURS, "open_hours"),
                hours(context, TTL_HOURS, "ttl_hours"));
    }

    private static int[] places(CallContext context, RowType row, List<Integer> keys) {
        int[] places = new int[Role.values().length];
        Map<Integer, String> taken = new HashMap<>();
        keys.forEach(key -> taken.put(key, "PARTITION BY"));
        for (Role role : Role.values()) {
            int place = place(context, row, role);
            String other = taken.put(place, role.word());
            if (other != null) {
                throw new ValidationException(
                        role.word() + ": the column '" + row.getFieldNames().get(place) + "' is used by " + other
                                + " already");
            }
            places[role.ordinal()] = place;
        }
        return places;
    }

    private static int place(CallContext context, RowType row, Role role) {
        String column =
                context.getArgumentValue(role.ordinal() + 1, String.class)
                        .orElseThrow(
                                () ->
                                        new ValidationException(
                                                role.word() + " must be a column's name in quotes: " + role.word()
                                                        + " => '…'"));
        int place = row.getFieldIndex(column);
        if (place < 0) {
            String suggestion = NameSuggestion.of(column, row.getFieldNames(), "columns");
            throw new ValidationException(role.word() + ": unknown column '" + column + "'; " + suggestion);
        }
        LogicalType type = row.getTypeAt(place);
        if (!role.types.contains(type.getTypeRoot())) {
            throw new ValidationException(
                    role.word() + " needs " + role.needs + ", but '" + column + "' is "
                            + type.copy(true).asSummaryString() + "; cast it in a view");
        }
        return place;
    }

    private static int hours(CallContext context, int argument, String name) {
        int hours = context.getArgumentValue(argument, Integer.class).orElse(0);
        if (hours < 1 || hours > MOST_HOURS) {
            throw new ValidationException(
                    name + " must be a whole number from 1 to " + MOST_HOURS + ", such as " + name + " => 48");
        }
        return hours;
    }

    /** The input's columns that are in the output, in their order; Flink puts the partition keys before them. */
    List<Integer> outputColumns() {
        List<Integer> columns = new ArrayList<>();
        for (int column = 0; column < row.getFieldCount(); column++) {
            if (!keys.contains(column) && column != part && column != parts && column != later) {
                columns.add(column);
            }
        }
        return columns;
    }

    /** Columns that the function adds to the partition keys. */
    DataType outputType() {
        List<DataTypes.Field> fields = new ArrayList<>();
        for (int column : outputColumns()) {
            fields.add(DataTypes.FIELD(row.getFieldNames().get(column), type(column)));
        }
        fields.add(DataTypes.FIELD(REVISION, DataTypes.INT().notNull()));
        return DataTypes.ROW(fields).notNull().bridgedTo(RowData.class);
    }

    private DataType type(int column) {
        DataType type = DataTypes.of(row.getTypeAt(column).copy(true));
        if (column == missing) {
            return DataTypes.ARRAY(DataTypes.STRING().notNull()).notNull();
        }
        return column == collected ? DataTypes.ARRAY(type.notNull()).notNull() : type;
    }
}
