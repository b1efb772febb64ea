package millrace.json;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/**
 * The part of a JSON Schema for one value.
 *
 * @param path where the value is, such as {@code lines[].quantity}; empty for the document itself
 * @param rules requirements beyond its type
 * @param alternatives one for each type that the value may have, if it is a choice
 * @param properties the fields of an object with known fields, by name
 * @param required names of the fields that must exist, be it as null
 * @param closed whether it can have no other fields than these
 * @param elements the elements of an array, or the values of an object with any fields; null for other values
 */
record SchemaNode(
        String path,
        Kind kind,
        boolean nullable,
        List<Rule> rules,
        List<SchemaNode> alternatives,
        Map<String, SchemaNode> properties,
        Set<String> required,
        boolean closed,
        SchemaNode elements)
        implements Serializable {

    /** Types of values, and the SQL types of the columns that hold no others. */
    enum Kind {
        ANYTHING("anything"),
        CHOICE("a choice of types"),
        BOOLEAN("a boolean", LogicalTypeRoot.BOOLEAN),
        INTEGER(
                "an integer",
                LogicalTypeRoot.TINYINT,
                LogicalTypeRoot.SMALLINT,
                LogicalTypeRoot.INTEGER,
                LogicalTypeRoot.BIGINT),
        NUMBER("a number", LogicalTypeRoot.FLOAT, LogicalTypeRoot.DOUBLE, LogicalTypeRoot.DECIMAL),
        STRING("a string"),
        BASE64("a string in base64", LogicalTypeRoot.BINARY, LogicalTypeRoot.VARBINARY),
        ARRAY("an array", LogicalTypeRoot.ARRAY),
        RECORD("an object with fields", LogicalTypeRoot.ROW),
        DICTIONARY("an object with values of one kind", LogicalTypeRoot.MAP);

        final String words;
        private final Set<LogicalTypeRoot> columns;

        Kind(String words, LogicalTypeRoot... columns) {
            this.words = words;
            this.columns = Set.of(columns);
        }

        boolean isHeldBy(LogicalType type) {
            return switch (this) {
                case ANYTHING -> true;
                case STRING -> type.is(LogicalTypeFamily.CHARACTER_STRING) || type.is(LogicalTypeFamily.DATETIME);
                default -> columns.contains(type.getTypeRoot());
            };
        }
    }

    /** Schema of a table without one: every value that the columns can hold is valid. */
    static final SchemaNode ANYTHING = of("", Kind.ANYTHING, true, List.of());

    static SchemaNode of(String path, Kind kind, boolean nullable, List<Rule> rules) {
        return new SchemaNode(path, kind, nullable, rules, List.of(), Map.of(), Set.of(), false, null);
    }

    SchemaNode orNull() {
        return new SchemaNode(path, kind, true, rules, alternatives, properties, required, closed, elements);
    }

    /**
     * Returns the part for a field of the object.
     *
     * @throws ValidationException the object can have no such field
     */
    SchemaNode property(String name) {
        if (kind == Kind.ANYTHING) {
            return ANYTHING;
        }
        SchemaNode property = properties.get(name);
        if (property == null) {
            String inner = path.isEmpty() ? name : path + "." + name;
            throw new ValidationException("it has a column `%s`, but its schema no such field".formatted(inner));
        }
        return property;
    }

    /** Fields whose names are not among these. */
    Map<String, SchemaNode> propertiesWithout(Set<String> names) {
        Map<String, SchemaNode> others = new LinkedHashMap<>(properties);
        others.keySet().removeAll(names);
        return others;
    }

    SchemaNode elementsOrAnything() {
        return elements == null ? ANYTHING : elements;
    }

    /**
     * Fails during planning if a column could not hold every valid value, or could hold others.
     *
     * @throws ValidationException the message names the value
     */
    void requireHeldBy(LogicalType type) {
        if (!kind.isHeldBy(type)) {
            throw new ValidationException(
                    "column `%s` is %s, but its schema says %s"
                            .formatted(path, type.copy(true).asSummaryString(), kind.words));
        }
    }
}
