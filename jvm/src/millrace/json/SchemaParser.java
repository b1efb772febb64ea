package millrace.json;

import java.math.BigDecimal;
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

import millrace.json.SchemaNode.Kind;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * Reads a JSON Schema of draft 7, as far as it says what one event looks like.
 *
 * <p>What it doesn't understand it refuses: a rule that is passed over would let through what it was made for.
 */
final class SchemaParser {

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
     * A schema from its text.
     *
     * @throws ValidationException it is not the schema of an object with fields, or one that this can't enforce
     */
    static SchemaNode parse(String text) {
        JsonNode root;
        try {
            root = JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build().readTree(text);
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
            return referenced(path, schema.get("$ref").asText());
        }
        if (keywords.contains("anyOf")) {
            return choice(path, elements(schema.get("anyOf")));
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
            return ofOneType(path, type.asText(), schema, keywords);
        }
        List<String> types = elements(type).stream().map(JsonNode::asText).filter(each -> !each.equals("null")).toList();
        if (types.size() != 1) {
            throw problem(path, "it lists %d types besides null; say it with `anyOf`", types.size());
        }
        SchemaNode node = ofOneType(path, types.get(0), schema, keywords);
        return type.size() > 1 ? node.orNull() : node;
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
        boolean nullable = values(schema).stream().anyMatch(JsonNode::isNull);
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
                schema.path("required").forEach(name -> required.add(name.asText()));
                JsonNode others = schema.path("additionalProperties");
                boolean closed = others.isBoolean() && !others.booleanValue();
                yield new SchemaNode(path, kind, nullable, rules, List.of(), properties, required, closed, null);
            }
            default -> SchemaNode.of(path, kind, nullable, rules);
        };
    }

    private static Kind kind(String path, String type, JsonNode schema) {
        return switch (type) {
            case "boolean" -> Kind.BOOLEAN;
            case "integer" -> Kind.INTEGER;
            case "number" -> Kind.NUMBER;
            case "array" -> Kind.ARRAY;
            case "object" -> schema.has("properties") ? Kind.RECORD : Kind.DICTIONARY;
            case "string" -> {
                String encoding = schema.path("contentEncoding").asText();
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
        List<JsonNode> values = values(schema).stream().filter(value -> !value.isNull()).toList();
        if (values.isEmpty()) {
            throw problem(path, "it has neither a type nor values");
        }
        if (values.stream().allMatch(JsonNode::isTextual)) {
            return Kind.STRING;
        }
        if (values.stream().allMatch(value -> value.isIntegralNumber() && value.canConvertToLong())) {
            return Kind.INTEGER;
        }
        throw problem(path, "its values are neither all strings nor all integers");
    }

    /** Of {@code enum} or {@code const}. */
    private static List<JsonNode> values(JsonNode schema) {
        return schema.has("const") ? List.of(schema.get("const")) : elements(schema.path("enum"));
    }

    private Map<String, SchemaNode> properties(String path, JsonNode schema) {
        if (schema.path("additionalProperties").isObject()) {
            throw problem(path, "it has `properties` and a schema for `additionalProperties`");
        }
        Map<String, SchemaNode> properties = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> each : schema.get("properties").properties()) {
            String inner = path.isEmpty() ? each.getKey() : path + "." + each.getKey();
            properties.put(each.getKey(), node(inner, each.getValue()));
        }
        for (JsonNode name : schema.path("required")) {
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
        List<JsonNode> values = values(schema).stream().filter(value -> !value.isNull()).toList();
        if (!values.isEmpty() && kind == Kind.STRING) {
            rules.add(new Rule.OneOfTexts(values.stream().map(JsonNode::textValue).toList()));
        } else if (!values.isEmpty()) {
            rules.add(new Rule.OneOfNumbers(values.stream().map(JsonNode::longValue).toList()));
        }
        if (schema.has("minLength") || schema.has("maxLength")) {
            rules.add(new Rule.Length(count(path, schema, "minLength", 0), most(path, schema, "maxLength")));
        }
        if (schema.has("minItems") || schema.has("maxItems")) {
            rules.add(new Rule.Size(count(path, schema, "minItems", 0), most(path, schema, "maxItems")));
        }
        for (String bound : BOUNDS) {
            if (schema.has(bound)) {
                BigDecimal limit = number(path, schema, bound).decimalValue();
                rules.add(new Rule.Bound(limit, bound.endsWith("inimum"), bound.startsWith("exclusive")));
            }
        }
        if (schema.has("pattern")) {
            rules.add(match(path, schema.get("pattern").asText()));
        }
        return List.copyOf(rules);
    }

    private static Rule match(String path, String pattern) {
        try {
            return new Rule.Match(pattern, PortablePattern.compile(pattern));
        } catch (IllegalArgumentException notPortable) {
            throw problem(path, "the pattern %s %s", pattern, notPortable.getMessage());
        }
    }

    private static int most(String path, JsonNode schema, String keyword) {
        return count(path, schema, keyword, Integer.MAX_VALUE);
    }

    private static int count(String path, JsonNode schema, String keyword, int otherwise) {
        return schema.has(keyword) ? number(path, schema, keyword).intValue() : otherwise;
    }

    private static JsonNode number(String path, JsonNode schema, String keyword) {
        JsonNode value = schema.get(keyword);
        if (!value.isNumber()) {
            throw problem(path, "`%s` has to be a number, not %s", keyword, value);
        }
        return value;
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
