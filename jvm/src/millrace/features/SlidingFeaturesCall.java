package millrace.features;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
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
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

/**
 * One call of {@code sliding_features} in a query: its checked arguments.
 *
 * @param features the declaration
 * @param id column that identifies events
 * @param maxEvents bound of the events that are kept of a key
 * @param row type of the input
 * @param keyColumns places of the columns by which the input is partitioned
 * @param timeColumn place of the row time in it; -1 while types are inferred
 */
record SlidingFeaturesCall(
        String features, String id, int maxEvents, RowType row, Set<Integer> keyColumns, int timeColumn)
        implements Serializable {

    static final int MOST_EVENTS = 10_000;

    private static final int DEFAULT_MAX_EVENTS = 1_000;
    private static final int INPUT = 0;
    private static final int FEATURES = 1;
    private static final int ID = 2;
    private static final int MAX_EVENTS = 3;

    private static final EnumSet<StaticArgumentTrait> INPUT_TRAITS =
            EnumSet.of(
                    StaticArgumentTrait.TABLE,
                    StaticArgumentTrait.SET_SEMANTIC_TABLE,
                    StaticArgumentTrait.REQUIRE_ON_TIME);

    /** The signature: any table with a row time. */
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
        return new StaticArgument[] {
            input,
            StaticArgument.scalar("features", text, false),
            StaticArgument.scalar("id", text, false),
            StaticArgument.scalar("max_events", DataTypes.INT(), true)
        };
    }

    /**
     * The arguments as planning knows them.
     *
     * @throws ValidationException if one can't be used
     */
    static SlidingFeaturesCall of(CallContext context) {
        TableSemantics input =
                context.getTableSemantics(INPUT)
                        .orElseThrow(() -> new ValidationException("input must be a table: input => TABLE payments"));
        SlidingFeaturesCall call =
                new SlidingFeaturesCall(
                        literal(context, FEATURES, "features"),
                        literal(context, ID, "id"),
                        maxEvents(context),
                        (RowType) input.dataType().getLogicalType(),
                        Arrays.stream(input.partitionByColumns()).boxed().collect(Collectors.toSet()),
                        input.timeColumn());
        call.declared();
        call.checkId();
        return call;
    }

    private static String literal(CallContext context, int position, String name) {
        return context.getArgumentValue(position, String.class)
                .orElseThrow(() -> new ValidationException(name + " must be a text in quotes: " + name + " => '…'"));
    }

    private static int maxEvents(CallContext context) {
        if (context.isArgumentNull(MAX_EVENTS)) {
            return DEFAULT_MAX_EVENTS;
        }
        int maxEvents = context.getArgumentValue(MAX_EVENTS, Integer.class).orElse(0);
        if (maxEvents < 1 || maxEvents > MOST_EVENTS) {
            throw new ValidationException(
                    "max_events can't be " + maxEvents + "; use a whole number from 1 to " + MOST_EVENTS);
        }
        return maxEvents;
    }

    private void checkId() {
        ColumnKind kind = columns().get(id);
        if (kind == null) {
            String suggestion = NameSuggestion.of(id, List.copyOf(columns().keySet()), "columns");
            throw new ValidationException("id: unknown column '" + id + "'; " + suggestion);
        }
        if (kind != ColumnKind.TEXT) {
            throw new ValidationException(
                    "id needs text, but '" + id + "' is " + kind.inWords + "; cast it to STRING in a view");
        }
    }

    /** Kind of each column of the input, in its order. */
    Map<String, ColumnKind> columns() {
        Map<String, ColumnKind> columns = new LinkedHashMap<>();
        row.getFields().forEach(field -> columns.put(field.getName(), ColumnKind.of(field.getType())));
        return columns;
    }

    /** The features, in the order of the declaration. */
    List<Feature> declared() {
        try {
            return Declaration.parse(features, columns());
        } catch (ValidationException e) {
            throw new ValidationException("features: " + e.getMessage());
        }
    }

    /**
     * Places of the columns outside the key. Flink emits the key itself; it could emit the others, too, but then a
     * function has no timers.
     */
    int[] others() {
        return IntStream.range(0, row.getFieldCount()).filter(column -> !keyColumns.contains(column)).toArray();
    }

    /** Columns that the function emits: the input's other columns, the features, the flags. */
    DataType outputType() {
        List<DataTypes.Field> fields = new ArrayList<>();
        for (int column : others()) {
            LogicalType type = LogicalTypeUtils.removeTimeAttributes(row.getTypeAt(column));
            fields.add(DataTypes.FIELD(row.getFieldNames().get(column), DataTypes.of(type)));
        }
        for (Feature feature : declared()) {
            fields.add(DataTypes.FIELD(feature.name(), type(feature)));
        }
        for (String flag : Declaration.OUTPUT_FLAGS) {
            fields.add(DataTypes.FIELD(flag, DataTypes.BOOLEAN().notNull()));
        }
        return DataTypes.ROW(fields).notNull().bridgedTo(RowData.class);
    }

    private DataType type(Feature feature) {
        return switch (feature.aggregate()) {
            case COUNT, DISTINCT -> DataTypes.BIGINT().notNull();
            case SUM -> isDouble(feature) ? DataTypes.DOUBLE().notNull() : DataTypes.BIGINT().notNull();
            case AVG, SECONDS_SINCE_PREVIOUS, DISTANCE_KM_FROM_PREVIOUS -> DataTypes.DOUBLE();
            case RECENT -> DataTypes.ARRAY(DataTypes.STRING());
            case MIN, MAX, PREVIOUS -> DataTypes.of(row.getTypeAt(column(feature)).copy(true));
        };
    }

    private boolean isDouble(Feature feature) {
        return ColumnKind.of(row.getTypeAt(column(feature))) == ColumnKind.DOUBLE;
    }

    private int column(Feature feature) {
        return row.getFieldIndex(feature.columns().get(0));
    }
}
