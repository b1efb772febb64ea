package millrace.rules;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.InputTypeStrategies;
import org.apache.flink.table.types.inference.InputTypeStrategy;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;

/**
 * The SQL function {@code may_break_rules('<filter>', rowtime, fact, …)}: false if a payment can't break any rule in
 * force at that time, so that it needn't be passed to Python.
 *
 * <p>It holds no payment back while no function passes rules to the filter. The facts are those that conditions can
 * use, in the order of {@code filter_facts} in {@code udfs/fraud/rule_filter.py}.
 */
public final class MayBreakRules extends ScalarFunction implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private static final int TIME = 1;
    private static final int FIRST_FACT = 2;

    private final String id;
    private final ArrayList<LogicalType> facts;

    private transient RuleFilter filter;
    private transient Counter filtered;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public MayBreakRules() {
        this(null, null);
    }

    private MayBreakRules(String id, ArrayList<LogicalType> facts) {
        this.id = id;
        this.facts = facts;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return of(context.getCallContext());
    }

    private static MayBreakRules of(CallContext call) {
        List<DataType> arguments = call.getArgumentDataTypes();
        if (arguments.size() < FIRST_FACT || !isTime(arguments.get(TIME).getLogicalType())) {
            throw new ValidationException("may_break_rules needs a filter's id, a TIMESTAMP_LTZ(3), and facts");
        }
        String id =
                call.getArgumentValue(0, String.class)
                        .orElseThrow(() -> new ValidationException("may_break_rules needs a filter's id in quotes"));
        ArrayList<LogicalType> types = new ArrayList<>();
        for (DataType fact : arguments.subList(FIRST_FACT, arguments.size())) {
            types.add(fact.getLogicalType());
        }
        return new MayBreakRules(id, types);
    }

    private static boolean isTime(LogicalType type) {
        return type.is(LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE);
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        return TypeInference.newBuilder()
                .inputTypeStrategy(facts == null ? anyArguments() : itsArguments())
                .outputTypeStrategy(MayBreakRules::outputType)
                .build();
    }

    private static Optional<DataType> outputType(CallContext call) {
        of(call);
        return Optional.of(DataTypes.BOOLEAN().notNull().bridgedTo(boolean.class));
    }

    private static InputTypeStrategy anyArguments() {
        return InputTypeStrategies.varyingSequence(InputTypeStrategies.ANY, InputTypeStrategies.ANY);
    }

    /** Only arguments of given types are passed without conversion. */
    private InputTypeStrategy itsArguments() {
        List<DataType> arguments = new ArrayList<>();
        arguments.add(DataTypes.STRING().bridgedTo(StringData.class));
        arguments.add(DataTypes.TIMESTAMP_LTZ(3).bridgedTo(TimestampData.class));
        for (LogicalType fact : facts) {
            arguments.add(DataTypes.of(fact).bridgedTo(LogicalTypeUtils.toInternalConversionClass(fact)));
        }
        return InputTypeStrategies.explicitSequence(arguments.toArray(DataType[]::new));
    }

    /** False: it depends on the rules, so the planner must neither fold a call nor repeat it. */
    @Override
    public boolean isDeterministic() {
        return false;
    }

    @Override
    public void open(FunctionContext context) {
        filtered = context.getMetricGroup().counter("filtered");
        filter = Filters.acquire(id);
    }

    /** Called for each payment; the id is a constant. */
    public boolean eval(StringData filterId, TimestampData eventTime, Object... values) {
        boolean may = eventTime == null || filter.mayBreak(eventTime.getMillisecond(), values);
        if (!may) {
            filtered.inc();
        }
        return may;
    }

    @Override
    public void close() {
        if (filter != null) {
            filter = null;
            Filters.release(id);
        }
    }
}
