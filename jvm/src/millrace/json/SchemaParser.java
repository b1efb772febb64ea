package millrace.json;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.StringData;

import millrace.json.SchemaNode.Kind;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * Reads a JSON Schema of draft 7, as far as it describes a single event.
 *
 * <p>It refuses keywords that it doesn't know: a rule that is ignored would let invalid records through.
 */
final class SchemaParser {

    private static final int LARGEST_EXPONENT = 400;
    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();
    private static final Set<String> ANNOTATIONS =
            Set.of("$schema", "$id", "$comment", "title", "description", "default", "examples", "definitions", "$defs");
    private static final List<String> BOUNDS =
            List.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum");
    private static final Map<Kind, Set<String>> KEYWORDS =
            new EnumMap<>(
                    Map.of(
                            Kind.BOOLEAN, Set.of(),
                            Kind.INTEGER, union(BOUNDS, "enum", "const"),
                            Kind.NUMBER, union(BOUNDS),
                            Kind.STRING, Set.of("enum", "const", "minLength", "maxLength", "pattern"),
                            Kind.BASE64, Set.of("contentEncoding"),
                            Kind.ARRAY, Set.of("items", "minItems", "maxItems"),
                            Kind.RECORD, Set.of("properties", "required", "additionalProperties"),
                            Kind.DICTIONARY, Set.of("additionalProperties")));

    private final JsonNode root;
    private final Deque<String> references = new ArrayDeque<>();

    private SchemaParser(JsonNode root) {
        this.root = root;
    }

    /**
     * Parses a schema.
     *
     * @throws ValidationException it is not the schema of an object with fields, or one that this can't enforce
     */
    static SchemaNode parse(String text) {
        JsonNode root;
        try {
            root = JSON.readTree(text);
        } catch (JsonProcessingException notJson) {
            throw new ValidationException("it is not JSON: " + notJson.getOriginalMessage());
        }
        SchemaNode node = new SchemaParser(root).node("", root);
        if (node.kind() != Kind.RECORD) {
            throw new ValidationException("it has to be that of an object with `properties`");
        }
        return node;
    }

    private SchemaNode node(String path, JsonNode schema) {
        if (schema.isBoolean() && schema.booleanValue()) {
            return SchemaNode.of(path, Kind.ANYTHING, true, List.of());
        }
        if (!schema.isObject()) {
            throw problem(path, "`%s` is no schema", schema);
        }
        Set<String> keywords = new HashSet<>();
        schema.fieldNames().forEachRemaining(keywords::add);
        keywords.removeAll(ANNOTATIONS);
        if (keywords.isEmpty()) {
            return SchemaNode.of(path, Kind.ANYTHING, true, List.of());
        }
        for (String lone : List.of("$ref", "anyOf")) {
            if (keywords.contains(lone) && keywords.size() > 1) {
                keywords.remove(lone);
                throw problem(path, "beside `%s` it has `%s`", lone, String.join("`, `", keywords));
            }
        }
        if (keywords.contains("$ref")) {
            return referenced(path, text(path, schema, "$ref"));
        }
        if (keywords.contains("anyOf")) {
            return choice(path, list(path, schema, "anyOf"));
        }
        return ofOneOrMoreTypes(path, schema, keywords);
    }

    private SchemaNode referenced(String path, String reference) {
        JsonNode target = reference.startsWith("#/") ? root.at(reference.substring(1)) : root.path("");
        if (target.isMissingNode()) {
            throw problem(path, "`$ref` %s leads nowhere", reference);
        }
        if (references.contains(reference)) {
            throw problem(path, "`$ref` %s leads back to itself", reference);
        }
        references.push(reference);
        SchemaNode node = node(path, target);
        references.pop();
        return node;
    }

    private SchemaNode choice(String path, List<JsonNode> schemas) {
        Map<Kind, SchemaNode> byKind = new LinkedHashMap<>();
        boolean nullable = false;
        for (JsonNode schema : schemas) {
            if (schema.size() == 1 && schema.path("type").asText().equals("null")) {
                nullable = true;
                continue;
            }
            SchemaNode node = node(path, schema);
            if (node.kind() == Kind.CHOICE || node.kind() == Kind.ANYTHING || byKind.put(node.kind(), node) != null) {
                throw problem(path, "its alternatives are not of one type each");
            }
            nullable |= node.nullable();
        }
        List<SchemaNode> alternatives = withoutIntegersThatAreNumbers(path, byKind);
        if (alternatives.isEmpty()) {
            throw problem(path, "it can only be null");
        }
        if (alternatives.size() > 1) {
            return new SchemaNode(path, Kind.CHOICE, nullable, List.of(), alternatives, Map.of(), Set.of(), false, null);
        }
        return nullable ? alternatives.get(0).orNull() : alternatives.get(0);
    }

    private static List<SchemaNode> withoutIntegersThatAreNumbers(String path, Map<Kind, SchemaNode> byKind) {
        for (Set<Kind> alike :
                List.of(
                        Set.of(Kind.INTEGER, Kind.NUMBER),
                        Set.of(Kind.STRING, Kind.BASE64),
                        Set.of(Kind.RECORD, Kind.DICTIONARY))) {
            List<SchemaNode> found = alike.stream().map(byKind::get).filter(node -> node != null).toList();
            if (found.size() < 2) {
                continue;
            }
            boolean anyNumber = alike.contains(Kind.NUMBER) && byKind.get(Kind.NUMBER).rules().isEmpty();
            if (!anyNumber) {
                throw problem(path, "its alternatives can't be told apart by their types");
            }
            byKind.remove(Kind.INTEGER);
        }
        return List.copyOf(byKind.values());
    }

    private SchemaNode ofOneOrMoreTypes(String path, JsonNode schema, Set<String> keywords) {
        JsonNode type = schema.path("type");
        if (!type.isArray()) {
            return ofOneType(path, type.isMissingNode() ? "" : text(path, schema, "type"), schema, keywords);
        }
        List<String> types =
                list(path, schema, "type").stream().map(JsonNode::asText).filter(each -> !each.equals("null")).toList();
        if (types.size() != 1) {
            throw problem(path, "it lists %d types besides null; say it with `anyOf`", types.size());
        }
        return ofOneType(path, types.get(0), schema, keywords);
    }

    private SchemaNode ofOneType(String path, String type, JsonNode schema, Set<String> keywords) {
        Kind kind = kind(path, type, schema);
        Set<String> unknown = new HashSet<>(keywords);
        unknown.removeAll(KEYWORDS.get(kind));
        unknown.remove("type");
        if (!unknown.isEmpty()) {
            String words = kind.words;
            throw problem(path, "it is %s, for which `%s` can't be enforced", words, String.join("`, `", unknown));
        }
        List<Rule> rules = rules(path, kind, schema);
        boolean nullable = isNullable(path, schema);
        return switch (kind) {
            case ARRAY, DICTIONARY -> {
                JsonNode elements = schema.path(kind == Kind.ARRAY ? "items" : "additionalProperties");
                String pathOfEach = path + (kind == Kind.ARRAY ? "[]" : ".*");
                SchemaNode each = elements.isMissingNode() ? null : node(pathOfEach, elements);
                yield new SchemaNode(path, kind, nullable, rules, List.of(), Map.of(), Set.of(), false, each);
            }
            case RECORD -> {
                Map<String, SchemaNode> properties = properties(path, schema);
                Set<String> required = new HashSet<>();
                list(path, schema, "required").forEach(name -> required.add(name.asText()));
                JsonNode others = schema.path("additionalProperties");
                if (!others.isBoolean() && !others.isMissingNode()) {
                    throw problem(path, "`additionalProperties` has to be true or false, not %s", others);
                }
                boolean closed = others.isBoolean() && !others.booleanValue();
                yield new SchemaNode(path, kind, nullable, rules, List.of(), properties, required, closed, null);
            }
            default -> SchemaNode.of(path, kind, nullable, rules);
        };
    }

    /** Whether the value may be null: its type, if it has one, and its values, if they are listed, must allow that. */
    private static boolean isNullable(String path, JsonNode schema) {
        boolean listsValues = schema.has("enum") || schema.has("const");
        List<JsonNode> types = elements(schema.path("type"));
        boolean typeAllows = !schema.has("type") || types.stream().anyMatch(type -> type.asText().equals("null"));
        return typeAllows && (!listsValues || values(path, schema).stream().anyMatch(JsonNode::isNull));
    }

    private static Kind kind(String path, String type, JsonNode schema) {
        return switch (type) {
            case "boolean" -> Kind.BOOLEAN;
            case "integer" -> Kind.INTEGER;
            case "number" -> Kind.NUMBER;
            case "array" -> Kind.ARRAY;
            case "object" -> schema.has("properties") ? Kind.RECORD : Kind.DICTIONARY;
            case "string" -> {
                String encoding = schema.has("contentEncoding") ? text(path, schema, "contentEncoding") : "";
                if (!Set.of("", "base64").contains(encoding)) {
                    throw problem(path, "contentEncoding %s can't be read", encoding);
                }
                yield encoding.isEmpty() ? Kind.STRING : Kind.BASE64;
            }
            case "" -> kindOfValues(path, schema);
            default -> throw problem(path, "`%s` is not a type that can be read", type);
        };
    }

    private static Kind kindOfValues(String path, JsonNode schema) {
        List<JsonNode> values = listed(path, schema);
        if (values.isEmpty()) {
            throw problem(path, "it has neither a type nor values");
        }
        if (values.stream().allMatch(JsonNode::isTextual)) {
            return Kind.STRING;
        }
        if (values.stream().allMatch(SchemaParser::isLong)) {
            return Kind.INTEGER;
        }
        throw problem(path, "its values are neither all strings nor all integers");
    }

    private static boolean isLong(JsonNode value) {
        return value.isIntegralNumber() && value.canConvertToLong();
    }

    /** Values of {@code enum} or {@code const}; empty if it has neither. */
    private static List<JsonNode> values(String path, JsonNode schema) {
        if (schema.has("const") && schema.has("enum")) {
            throw problem(path, "beside `const` it has `enum`");
        }
        return schema.has("const") ? List.of(schema.get("const")) : list(path, schema, "enum");
    }

    /** Listed values, except null. */
    private static List<JsonNode> listed(String path, JsonNode schema) {
        return values(path, schema).stream().filter(value -> !value.isNull()).toList();
    }

    private Map<String, SchemaNode> properties(String path, JsonNode schema) {
        if (schema.path("additionalProperties").isObject()) {
            throw problem(path, "it has `properties` and a schema for `additionalProperties`");
        }
        if (!schema.get("properties").isObject()) {
            throw problem(path, "`properties` has to be an object, not %s", schema.get("properties"));
        }
        Map<String, SchemaNode> properties = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> each : schema.get("properties").properties()) {
            String inner = path.isEmpty() ? each.getKey() : path + "." + each.getKey();
            properties.put(each.getKey(), node(inner, each.getValue()));
        }
        for (JsonNode name : list(path, schema, "required")) {
            if (!properties.containsKey(name.asText())) {
                throw problem(path, "it requires `%s`, which it doesn't describe", name.asText());
            }
        }
        return properties;
    }

    private static List<Rule> rules(String path, Kind kind, JsonNode schema) {
        List<Rule> rules = new ArrayList<>();
        if (kind == Kind.INTEGER) {
            rules.add(new Rule.Whole());
        }
        if (schema.has("enum") || schema.has("const")) {
            rules.add(oneOf(path, kind, schema));
        }
        if (schema.has("minLength") || schema.has("maxLength")) {
            int least = count(path, schema, "minLength", 0);
            int most = count(path, schema, "maxLength", Integer.MAX_VALUE);
            requireSome(path, least <= most, "minLength", "maxLength");
            rules.add(new Rule.Length(least, most));
        }
        if (schema.has("minItems") || schema.has("maxItems")) {
            int least = count(path, schema, "minItems", 0);
            int most = count(path, schema, "maxItems", Integer.MAX_VALUE);
            requireSome(path, least <= most, "minItems", "maxItems");
            rules.add(new Rule.Size(least, most));
        }
        for (String bound : BOUNDS) {
            if (schema.has(bound)) {
                BigDecimal limit = number(path, schema, bound).decimalValue();
                rules.add(new Rule.Bound(limit, bound.endsWith("inimum"), bound.startsWith("exclusive")));
            }
        }
        requireSomeNumber(path, kind, schema);
        if (schema.has("pattern")) {
            rules.add(match(path, text(path, schema, "pattern")));
        }
        requireSomeListed(path, schema, rules);
        return List.copyOf(rules);
    }

    /** Refuses listed values if none of them passes the other rules; the message has the reason for the last one. */
    private static void requireSomeListed(String path, JsonNode schema, List<Rule> rules) {
        String problem = null;
        for (JsonNode value : listed(path, schema)) {
            problem = problemOf(value, rules);
            if (problem == null) {
                return;
            }
        }
        if (problem != null) {
            throw problem(path, "its other rules leave none of its values: %s", problem);
        }
    }

    private static String problemOf(JsonNode value, List<Rule> rules) {
        Object internal = value.isTextual() ? StringData.fromString(value.textValue()) : value.numberValue();
        try (JsonParser parser = value.traverse()) {
            parser.nextToken();
            for (Rule rule : rules) {
                String problem = rule.problem(internal, parser);
                if (problem != null) {
                    return problem;
                }
            }
            return null;
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    private static Rule oneOf(String path, Kind kind, JsonNode schema) {
        List<JsonNode> values = listed(path, schema);
        if (values.isEmpty()) {
            throw problem(path, "none of its values can be %s", kind.words);
        }
        for (JsonNode value : values) {
            if (!(kind == Kind.STRING ? value.isTextual() : isLong(value))) {
                throw problem(path, "it is %s, but %s is among its values", kind.words, value);
            }
        }
        return kind == Kind.STRING
                ? new Rule.OneOfTexts(values.stream().map(JsonNode::textValue).toList())
                : new Rule.OneOfNumbers(values.stream().map(JsonNode::longValue).toList());
    }

    private static void requireSomeNumber(String path, Kind kind, JsonNode schema) {
        for (String lower : List.of("minimum", "exclusiveMinimum")) {
            for (String upper : List.of("maximum", "exclusiveMaximum")) {
                boolean both = schema.has(lower) && schema.has(upper);
                requireSome(path, !both || isSomeBetween(path, kind, schema, lower, upper), lower, upper);
            }
        }
    }

    private static boolean isSomeBetween(String path, Kind kind, JsonNode schema, String lower, String upper) {
        BigDecimal least = number(path, schema, lower).decimalValue();
        BigDecimal most = number(path, schema, upper).decimalValue();
        boolean above = lower.startsWith("exclusive");
        boolean below = upper.startsWith("exclusive");
        if (kind != Kind.INTEGER) {
            return least.compareTo(most) < (above || below ? 0 : 1);
        }
        BigDecimal first = least.setScale(0, above ? RoundingMode.FLOOR : RoundingMode.CEILING);
        BigDecimal last = most.setScale(0, below ? RoundingMode.CEILING : RoundingMode.FLOOR);
        int steps = (above ? 1 : 0) + (below ? 1 : 0);
        return first.add(BigDecimal.valueOf(steps)).compareTo(last) <= 0;
    }

    private static void requireSome(String path, boolean leavesSome, String lower, String upper) {
        if (!leavesSome) {
            throw problem(path, "`%s` and `%s` leave no value", lower, upper);
        }
    }

    private static Rule match(String path, String pattern) {
        try {
            return new Rule.Match(pattern, PortablePattern.compile(pattern));
        } catch (IllegalArgumentException notPortable) {
            throw problem(path, "the pattern %s %s", pattern, notPortable.getMessage());
        }
    }

    private static int count(String path, JsonNode schema, String keyword, int otherwise) {
        if (!schema.has(keyword)) {
            return otherwise;
        }
        BigDecimal count = number(path, schema, keyword).decimalValue();
        if (count.signum() < 0 || count.stripTrailingZeros().scale() > 0) {
            throw problem(path, "`%s` has to be a whole number from 0 on, not %s", keyword, schema.get(keyword));
        }
        return count.min(BigDecimal.valueOf(Integer.MAX_VALUE)).intValue();
    }

    private static JsonNode number(String path, JsonNode schema, String keyword) {
        JsonNode value = schema.get(keyword);
        if (!value.isNumber()) {
            throw problem(path, "`%s` has to be a number, not %s", keyword, value);
        }
        if (Math.abs((long) value.decimalValue().scale()) > LARGEST_EXPONENT) {
            throw problem(path, "`%s` is beyond what numbers are compared with: %s", keyword, value);
        }
        return value;
    }

    private static String text(String path, JsonNode schema, String keyword) {
        JsonNode value = schema.get(keyword);
        if (!value.isTextual()) {
            throw problem(path, "`%s` has to be a string, not %s", keyword, value);
        }
        return value.textValue();
    }

    /** List that a keyword has as its value; empty without the keyword. */
    private static List<JsonNode> list(String path, JsonNode schema, String keyword) {
        JsonNode value = schema.path(keyword);
        if (!value.isArray() && !value.isMissingNode()) {
            throw problem(path, "`%s` has to be a list, not %s", keyword, value);
        }
        return elements(value);
    }

    private static List<JsonNode> elements(JsonNode array) {
        List<JsonNode> elements = new ArrayList<>();
        array.forEach(elements::add);
        return elements;
    }

    private static Set<String> union(List<String> some, String... others) {
        Set<String> all = new HashSet<>(some);
        all.addAll(List.of(others));
        return all;
    }

    private static ValidationException problem(String path, String text, Object... arguments) {
        return new ValidationException((path.isEmpty() ? "" : "`" + path + "`: ") + text.formatted(arguments));
    }
}
