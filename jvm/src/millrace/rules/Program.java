package millrace.rules;

import java.nio.charset.CharsetEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Parser of a ruleset's conditions, as {@code udfs/fraud/rule_filter.py} writes them. */
public final class Program {

    private static final Logger LOG = LoggerFactory.getLogger(Program.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final Map<String, Condition.Operator> OPERATORS =
            Map.of(
                    "<", Condition.Operator.LESS,
                    "<=", Condition.Operator.AT_MOST,
                    ">", Condition.Operator.MORE,
                    ">=", Condition.Operator.AT_LEAST,
                    "=", Condition.Operator.EQUAL,
                    "!=", Condition.Operator.UNEQUAL);

    /** Character in texts that were not valid Unicode; they can't be compared by their bytes. */
    private static final char REPLACEMENT = '\ufffd';

    private final int facts;

    private Program(int facts) {
        this.facts = facts;
    }

    /**
     * Parses a program. If it can't be understood, since another version of the code wrote it, every payment may break
     * a rule.
     */
    public static Condition parse(String text) {
        try {
            JsonNode root = JSON.readTree(text);
            return new Program(root.path("facts").asInt()).condition(root.path("when"));
        } catch (JsonProcessingException | IllegalArgumentException unreadable) {
            LOG.warn("Every payment is handed to the rules, since the filter's program can't be read", unreadable);
            return Condition.ALWAYS;
        }
    }

    private Condition condition(JsonNode node) {
        Map.Entry<String, JsonNode> only = only(node);
        JsonNode arguments = only.getValue();
        return switch (only.getKey()) {
            case "all" -> Condition.ALWAYS;
            case "and" -> new Condition.All(conditions(arguments));
            case "or" -> new Condition.Any(conditions(arguments));
            case "in" -> oneOf(arguments, true);
            case "not in" -> oneOf(arguments, false);
            case "same" -> new Condition.Same(fact(arguments.path(0)), fact(arguments.path(1)), true);
            case "differ" -> new Condition.Same(fact(arguments.path(0)), fact(arguments.path(1)), false);
            case "missing" -> new Condition.Missing(fact(arguments), true);
            case "present" -> new Condition.Missing(fact(arguments), false);
            case "set" -> new Condition.Flag(fact(arguments), true);
            case "unset" -> new Condition.Flag(fact(arguments), false);
            default -> comparison(only.getKey(), arguments);
        };
    }

    private Condition[] conditions(JsonNode nodes) {
        List<Condition> conditions = new ArrayList<>();
        nodes.forEach(node -> conditions.add(condition(node)));
        return conditions.toArray(Condition[]::new);
    }

    private Condition oneOf(JsonNode arguments, boolean wanted) {
        if (arguments.isEmpty()) {
            throw unknown(arguments);
        }
        CharsetEncoder encoder = StandardCharsets.UTF_8.newEncoder();
        StringData[] constants = new StringData[arguments.size() - 1];
        for (int place = 0; place < constants.length; place++) {
            String constant = arguments.get(place + 1).textValue();
            if (constant == null) {
                throw unknown(arguments);
            }
            if (constant.indexOf(REPLACEMENT) >= 0 || !encoder.canEncode(constant)) {
                return Condition.ALWAYS;
            }
            BinaryStringData prepared = BinaryStringData.fromString(constant);
            prepared.ensureMaterialized();
            constants[place] = prepared;
        }
        return new Condition.OneOf(fact(arguments.path(0)), constants, wanted);
    }

    private Condition comparison(String sign, JsonNode arguments) {
        Condition.Operator operator = OPERATORS.get(sign);
        if (operator == null) {
            throw unknown(sign);
        }
        TreeSet<Integer> needed = new TreeSet<>();
        Quantity left = quantity(arguments.path(0), needed);
        Quantity right = quantity(arguments.path(1), needed);
        if (left instanceof Quantity.Fact fact && right instanceof Quantity.Constant constant) {
            return new Condition.Threshold(fact.fact, operator, constant.value);
        }
        return new Condition.Comparison(needed.stream().mapToInt(fact -> fact).toArray(), left, operator, right);
    }

    private Quantity quantity(JsonNode node, TreeSet<Integer> needed) {
        Map.Entry<String, JsonNode> only = only(node);
        JsonNode arguments = only.getValue();
        return switch (only.getKey()) {
            case "number" -> new Quantity.Constant(constant(arguments));
            case "fact" -> {
                int fact = fact(arguments);
                needed.add(fact);
                yield new Quantity.Fact(fact);
            }
            case "*" -> new Quantity.Times(quantity(arguments.path(0), needed), quantity(arguments.path(1), needed));
            case "/" -> new Quantity.Ratio(quantity(arguments.path(0), needed), quantity(arguments.path(1), needed));
            default -> throw unknown(node);
        };
    }

    private static double constant(JsonNode number) {
        if (!number.isNumber()) {
            throw unknown(number);
        }
        return number.isIntegralNumber() ? Quantity.exact(number.doubleValue()) : number.doubleValue();
    }

    private int fact(JsonNode place) {
        if (!place.canConvertToInt() || place.intValue() < 0 || place.intValue() >= facts) {
            throw unknown(place);
        }
        return place.intValue();
    }

    private static Map.Entry<String, JsonNode> only(JsonNode node) {
        if (!node.isObject() || node.size() != 1) {
            throw unknown(node);
        }
        return node.properties().iterator().next();
    }

    private static IllegalArgumentException unknown(Object what) {
        return new IllegalArgumentException("unknown in a filter's program: " + what);
    }
}
