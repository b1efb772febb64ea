package millrace.rows;

import java.util.Optional;
import millrace.planning.NameSuggestion;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.InputTypeStrategies;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/**
 * The SQL function {@code field_of_each(lines, 'quantity')}: one field of every row of an array, as an array in the
 * same order; NULL for NULL, and for a row that is NULL. SQL can read the elements of an array of numbers, but not the
 * fields of an array of rows.
 */
public final class FieldOfEach extends ScalarFunction implements SpecializedFunction {

    private static final long serialVersionUID = 1L;

    private final RowType row;
    private final int field;

    private transient RowData.FieldGetter getter;

    /** The function as it is registered; {@link #specialize} makes the one that runs. */
    public FieldOfEach() {
        this(null, -1);
    }

    private FieldOfEach(RowType row, int field) {
        this.row = row;
        this.field = field;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return of(context.getCallContext());
    }

    private static FieldOfEach of(CallContext context) {
        LogicalType rows = context.getArgumentDataTypes().get(0).getLogicalType();
        if (!(rows instanceof ArrayType array) || !(array.getElementType() instanceof RowType row)) {
            throw new ValidationException(
                    "field_of_each needs an array of rows, but the first argument is " + rows.asSummaryString());
        }
        String name =
                context.getArgumentValue(1, String.class)
                        .orElseThrow(() -> new ValidationException("field_of_each needs a field's name in quotes"));
        int field = row.getFieldIndex(name);
        if (field < 0) {
            String suggestion = NameSuggestion.of(name, row.getFieldNames(), "fields");
            throw new ValidationException("field_of_each: unknown field '" + name + "'; " + suggestion);
        }
        return new FieldOfEach(row, field);
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        TypeInference.Builder builder = TypeInference.newBuilder();
        if (row == null) {
            builder.inputTypeStrategy(InputTypeStrategies.sequence(InputTypeStrategies.ANY, InputTypeStrategies.ANY));
        } else {
            // Only arguments of given types are passed without conversion.
            DataType rows = DataTypes.ARRAY(DataTypes.of(row)).bridgedTo(ArrayData.class);
            DataType name = DataTypes.STRING().bridgedTo(StringData.class);
            builder.inputTypeStrategy(InputTypeStrategies.explicitSequence(rows, name));
        }
        return builder.outputTypeStrategy(context -> Optional.of(of(context).outputType())).build();
    }

    private DataType outputType() {
        LogicalType type = row.getTypeAt(field);
        LogicalType element = type.copy(type.isNullable() || row.isNullable());
        return DataTypes.ARRAY(DataTypes.of(element)).bridgedTo(ArrayData.class);
    }

    @Override
    public void open(FunctionContext context) {
        getter = RowData.createFieldGetter(row.getTypeAt(field), field);
    }

    /** Called for each row of a query; the name is a constant. */
    public ArrayData eval(ArrayData rows, StringData name) {
        if (rows == null) {
            return null;
        }
        Object[] values = new Object[rows.size()];
        for (int place = 0; place < values.length; place++) {
            if (!rows.isNullAt(place)) {
                values[place] = getter.getFieldOrNull(rows.getRow(place, row.getFieldCount()));
            }
        }
        return new GenericArrayData(values);
    }
}
