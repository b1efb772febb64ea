"""guarded-json with a JSON Schema: a value that the event can't have makes a bad record, with or without a column."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment

from connectors.kafka.topics import TOPICS, Topic
from events.schemas import rules_text
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records

Schema = Mapping[str, Any]

FIELDS: dict[str, tuple[str, Schema]] = {
    "least": ("BIGINT", {"type": "integer", "minimum": -2}),
    "most": ("INT", {"type": "integer", "maximum": 2}),
    "above": ("BIGINT", {"type": "integer", "exclusiveMinimum": 0}),
    "below": ("TINYINT", {"type": "integer", "exclusiveMaximum": 10}),
    "halves": ("BIGINT", {"type": "integer", "minimum": 1.5}),
    "large": ("BIGINT", {"type": "integer", "maximum": 9007199254740993}),
    "degrees": ("DOUBLE", {"type": "number", "minimum": -90, "maximum": 90}),
    "share": ("DOUBLE", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
    "price": ("DECIMAL(5, 2)", {"type": "number", "minimum": 0.05}),
    "name": ("STRING", {"type": "string", "minLength": 2, "maxLength": 3}),
    "currency": ("STRING", {"type": "string", "pattern": "^[A-Z]{3}$"}),
    "contains": ("STRING", {"type": "string", "pattern": "b+"}),
    "words": ("STRING", {"type": "string", "pattern": "^[a-z]+[a-z0-9]+[a-z0-9_]+$"}),
    "either": ("STRING", {"type": "string", "pattern": "(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)?b{2,3}"}),
    "channel": ("STRING", {"enum": ["online", 'at "the" till']}),
    "kind": ("STRING", {"const": "payment"}),
    "number": ("SMALLINT", {"enum": [1, 2]}),
    "listed": ("STRING", {"enum": ["abc", "ab", "AB"], "maxLength": 2, "pattern": "^[a-z]+$"}),
    "flag": ("BOOLEAN", {"type": "boolean"}),
    "raw": ("VARBINARY(9)", {"type": "string", "contentEncoding": "base64"}),
    "on_day": ("DATE", {"type": "string", "minLength": 10}),
    "tags": (
        "ARRAY<STRING>",
        {"type": "array", "items": {"type": "string", "maxLength": 1}, "minItems": 1, "maxItems": 2},
    ),
    "counts": ("MAP<STRING, INT>", {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}),
    "line": ("ROW<quantity INT>", {"$ref": "#/definitions/Line"}),
    "lines": ("ARRAY<ROW<quantity INT>>", {"type": "array", "items": {"$ref": "#/definitions/Line"}}),
    "loose": ("ROW<quantity INT>", {"type": "object", "properties": {"quantity": {"type": "integer"}}}),
    "nothing": ("STRING", {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}),
    "nothing_too": ("BIGINT", {"type": ["integer", "null"], "minimum": 0}),
    "never_null": ("STRING", {"type": "string", "enum": ["a", None]}),
    "not_listed_null": ("STRING", {"type": ["string", "null"], "enum": ["a"]}),
    "listed_null": ("STRING", {"enum": ["a", None]}),
    "known": ("STRING", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "whatever": ("STRING", {}),
}
"""Column type and schema by field; `known` is required."""

LINE = {
    "type": "object",
    "properties": {"product": {"type": "string", "minLength": 1}, "quantity": {"type": "integer", "minimum": 1}},
    "required": ["product"],
    "additionalProperties": False,
}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {name: schema for name, (_, schema) in FIELDS.items()},
    "required": ["known"],
    "additionalProperties": False,
    "definitions": {"Line": LINE},
}


@dataclass(frozen=True)
class Case:
    """The JSON text of one field, and the error expected for it."""

    field: str
    text: str
    error: str = ""
    """Error after the field's path; empty if the value is good."""
    where: str = ""
    """Path of the error, if it isn't just the field."""

    def value(self) -> bytes:
        """Return the record."""
        fields = {"known": '"a"', self.field: self.text}
        return ("{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}").encode()


SMILE = "\U0001f600"
"""One character that has two units of UTF-16."""

CASES = [
    Case("least", "-2"),
    Case("least", "-3", "-3 is less than -2"),
    Case("least", "-2e0", "-2e0 is not written as a whole number"),
    Case("most", "2"),
    Case("most", "2.0", "2.0 is not written as a whole number"),
    Case("most", "2.5", "2.5 is not a whole number, as INT needs"),
    Case("most", "3", "3 is more than 2"),
    Case("above", "1"),
    Case("above", "0", "0 isn't more than 0"),
    Case("above", "-0", "-0 isn't more than 0"),
    Case("below", "9"),
    Case("below", "10", "10 isn't less than 10"),
    Case("halves", "2"),
    Case("halves", "1", "1 is less than 1.5"),
    Case("large", "9007199254740993"),
    Case("large", "9007199254740994", "9007199254740994 is more than 9007199254740993"),
    Case("degrees", "90"),
    Case("degrees", "-9e1"),
    Case("degrees", "90.00000000000001", "90.00000000000001 is more than 90"),
    Case("degrees", "-95", "-95 is less than -90"),
    Case("share", "0.5"),
    Case("share", "5e-324"),
    Case("share", "-0.0", "-0.0 isn't more than 0"),
    Case("share", "1", "1 isn't less than 1"),
    Case("price", "0.05"),
    Case("price", "0.04", "0.04 is less than 0.05"),
    Case("price", '"0.05"', "a string where DECIMAL(5, 2) is expected"),
    Case("name", '"ab"'),
    Case("name", '"abc"'),
    Case("name", '"a"', '"a" is too short: 1 character, at least 2'),
    Case("name", '""', '"" is too short: 0 characters, at least 2'),
    Case("name", '"abcd"', '"abcd" is too long: 4 characters, at most 3'),
    Case("name", f'"{SMILE}é€"'),
    Case("name", f'"{SMILE * 3}"'),
    Case("name", f'"{SMILE}"', f'"{SMILE}" is too short: 1 character, at least 2'),
    Case("name", f'"{SMILE * 60}"', f'"{SMILE * 20}…" is too long: 60 characters, at most 3'),
    Case("name", f'"a{SMILE * 60}"', f'"a{SMILE * 19}…" is too long: 61 characters, at most 3'),
    Case("name", '"e\\u0301"'),
    Case("currency", '"EUR"'),
    Case("currency", '"euro"', '"euro" doesn\'t match ^[A-Z]{3}$'),
    Case("currency", '"EURO"', '"EURO" doesn\'t match ^[A-Z]{3}$'),
    Case("currency", r'"EUR\n"', r'"EUR\n" doesn' + "'t match ^[A-Z]{3}$"),
    Case("contains", '"abc"'),
    Case("contains", '"ac"', '"ac" doesn\'t match b+'),
    Case("words", '"abc"'),
    Case("words", '"ab"', '"ab" doesn\'t match ^[a-z]+[a-z0-9]+[a-z0-9_]+$'),
    Case("words", '"' + "a" * 2000 + '!"', f'"{"a" * 40}…" doesn\'t match ^[a-z]+[a-z0-9]+[a-z0-9_]+$'),
    Case("words", '"' + "a" * 500_000 + '!"', f'"{"a" * 40}…" doesn\'t match ^[a-z]+[a-z0-9]+[a-z0-9_]+$'),
    Case("either", '"aaaaaabb"'),
    Case("either", '"aaaaaab"', '"aaaaaab" doesn\'t match (a|a)(a|a)(a|a)(a|a)(a|a)(a|a)?b{2,3}'),
    Case("channel", '"online"'),
    Case("channel", r'"at \"the\" till"'),
    Case("channel", '"offline"', r'"offline" is none of "online", "at \"the\" till"'),
    Case("kind", '"payment"'),
    Case("kind", '"Payment"', '"Payment" is not "payment"'),
    Case("number", "2"),
    Case("number", "3", "3 is none of 1, 2"),
    Case("listed", '"ab"'),
    Case("listed", '"abc"', '"abc" is too long: 3 characters, at most 2'),
    Case("flag", "true"),
    Case("flag", "1", "a number where BOOLEAN is expected"),
    Case("raw", '"AAEC"'),
    Case("raw", '"AAE*"', "not base64, as VARBINARY(9) needs"),
    Case("raw", '"AB=="', "not base64, as VARBINARY(9) needs"),
    Case("raw", '"AAE"', "not base64, as VARBINARY(9) needs"),
    Case("raw", r'"AAEC\n"', "not base64, as VARBINARY(9) needs"),
    Case("raw", '"AA==AA=="', "not base64, as VARBINARY(9) needs"),
    Case("on_day", '"2026-03-01"'),
    Case("on_day", '"2026-3-1"', "2026-3-1 is not a DATE as it is written here"),
    Case("tags", '["a"]'),
    Case("tags", '["a", "b"]'),
    Case("tags", "[]", "too few: 0 elements, at least 1"),
    Case("tags", '["a", "b", "c"]', "too many: 3 elements, at most 2"),
    Case("tags", '["a", "bc"]', '"bc" is too long: 2 characters, at most 1', "tags[1]"),
    Case("tags", '["a", null]', "null, but it is required", "tags[1]"),
    Case("counts", '{"a": 0}'),
    Case("counts", '{"a": 0, "b": -1}', "-1 is less than 0", "counts.b"),
    Case("counts", '{"a": null}', "null, but it is required", "counts.a"),
    Case("line", '{"product": "p"}'),
    Case("line", '{"product": "p", "extra": [{}]}', "its schema has no such field", "line.extra"),
    Case("loose", '{"quantity": 1, "extra": [{}]}'),
    Case("line", '{"product": "p", "quantity": 0}', "0 is less than 1", "line.quantity"),
    Case("line", '{"product": ""}', '"" is too short: 0 characters, at least 1', "line.product"),
    Case("line", '{"quantity": 1}', "is missing", "line.product"),
    Case("lines", "[]"),
    Case("lines", '[{"product": "p"}, {"product": "p", "quantity": 0}]', "0 is less than 1", "lines[1].quantity"),
    Case("lines", "[null]", "null, but it is required", "lines[0]"),
    Case("nothing", "null"),
    Case("nothing", '""', '"" is too short: 0 characters, at least 1'),
    Case("nothing_too", "null"),
    Case("nothing_too", "-1", "-1 is less than 0"),
    Case("never_null", '"a"'),
    Case("never_null", "null", "null, but it can only be left out"),
    Case("not_listed_null", "null", "null, but it can only be left out"),
    Case("listed_null", "null"),
    Case("known", "null"),
    Case("least", "null", "null, but it can only be left out"),
    Case("whatever", '"anything"'),
    Case("newer_field", '{"currency": "EUR"}', "its schema has no such field"),
    Case("error", '"a column, but no field"', "its schema has no such field"),
]
"""`quantity` has a column and `product` has none; both are checked."""


def declare(
    environment: StreamTableEnvironment, columns: Mapping[str, str], schema: Schema | str, folder: Path
) -> None:
    """Create a table `events` of the records in a folder."""
    declared = "".join(f"`{name}` {type_}, " for name, type_ in columns.items())
    text = (schema if isinstance(schema, str) else json.dumps(schema)).replace("'", "''")
    environment.execute_sql(f"""
        CREATE TEMPORARY TABLE events ({declared} error STRING, payload BYTES)
        WITH (
            'connector' = 'records',
            'path' = '{folder}',
            'format' = 'guarded-json',
            'guarded-json.schema' = '{text}'
        )
    """)


def read(environment: StreamTableEnvironment, column: str, folder: Path, values: list[bytes]) -> list[tuple[Any, ...]]:
    """Return the error and one column, as text, of each record."""
    write_records(folder, map(Record, values))
    with environment.execute_sql(f"SELECT error, CAST({column} AS STRING) FROM events").collect() as rows:
        return [tuple(row) for row in rows]


COLUMNS = {name: type_ for name, (type_, _) in FIELDS.items()}
GOOD = b'{"known": "good"}'
NAMES = [f"{case.field} {case.text[:40]}" for case in CASES]


def errors(cluster: MiniCluster, columns: Mapping[str, str], folder: Path) -> list[tuple[str | None, str | None]]:
    """Return the error of each case, and that of the good record that follows."""
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    declare(environment, columns, SCHEMA, folder)
    rows = read(environment, "error", folder, [value for case in CASES for value in (case.value(), GOOD)])
    return list(zip([row[0] for row in rows[::2]], [row[0] for row in rows[1::2]], strict=True))


@pytest.fixture(scope="module")
def found(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, tuple[str | None, str | None]]:
    """Errors by case, where every field but `product` of a line has its column. One job reads all of them."""
    return dict(zip(CASES, errors(cluster, COLUMNS, tmp_path_factory.mktemp("columns")), strict=True))


@pytest.fixture(scope="module")
def found_without_columns(
    cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[Case, tuple[str | None, str | None]]:
    """Errors by case, where no field has a column."""
    return dict(zip(CASES, errors(cluster, {}, tmp_path_factory.mktemp("no-columns")), strict=True))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_value_is_good_up_to_the_bound_and_bad_beyond(
    case: Case, found: dict[Case, tuple[str | None, str | None]]
) -> None:
    error, error_of_the_next = found[case]

    if case.error:
        where = case.where or case.field
        assert error is not None
        assert (
            re.sub(r" \(byte \d+\)$", "", error) == f"{where}{' ' if case.error == 'is missing' else ': '}{case.error}"
        )
    else:
        assert error is None
    assert error_of_the_next is None


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_field_without_a_column_is_checked_too(
    case: Case, found_without_columns: dict[Case, tuple[str | None, str | None]]
) -> None:
    error, error_of_the_next = found_without_columns[case]

    assert (error is None) == (not case.error)
    assert error_of_the_next is None


def test_fields_without_a_column_are_skipped_and_the_columns_are_filled(
    table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    declare(table_environment, {"line": "ROW<quantity INT>", "known": "STRING"}, SCHEMA, tmp_path)
    value = b'{"tags": ["a"], "line": {"quantity": 2, "product": "p"}, "counts": {"a": 1}, "flag": true, "known": "a"}'

    rows = read(table_environment, "(line.quantity, known)", tmp_path, [value])

    assert rows == [(None, "(2, a)")]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_schema_of_every_topic_can_be_enforced(
    topic: Topic, table_environment: StreamTableEnvironment, tmp_path: Path
) -> None:
    declare(table_environment, {}, rules_text(topic.event), tmp_path)

    assert "TableSourceScan" in table_environment.explain_sql("SELECT * FROM events")


class Spelled(NamedTuple):
    """A pattern as written in a schema, and as in Python."""

    schema: str
    python: str

    def __add__(self, other: Any) -> "Spelled":
        return Spelled(self.schema + other.schema, self.python + other.python)


def alike(*texts: str) -> list[Spelled]:
    """Return parts of patterns that are written alike in both."""
    return [Spelled(each, each) for each in texts]


CLASSES = (
    "[a-c]",
    "[^a]",
    "[a-]",
    "[-a]",
    "[+-9]",
    "[a-c-]",
    r"[\]a]",
    r"[a\-c]",
    "[é-ü]",
    "[^é-ü]",
    "[.|$]",
    r"[\\\^]",
)
ATOMS = [*alike("a", "b", "-", r"\.", r"\/", r"\-", "é", SMILE, *CLASSES), Spelled(".", r"[^\n\r\u2028\u2029]")]
REPETITIONS = alike("", "", "*", "+", "?", "{2}", "{0}", "{1,3}", "{2,}", "+?", "*?", "{1,2}?")
PIECES = st.builds(Spelled.__add__, st.sampled_from(ATOMS), st.sampled_from(REPETITIONS))


def joined(parts: list[Spelled], by: str = "") -> Spelled:
    """Join patterns one after the other."""
    return Spelled(by.join(each.schema for each in parts), by.join(each.python for each in parts))


def grouped(inner: SearchStrategy[Spelled]) -> SearchStrategy[Spelled]:
    """Return alternatives in a group, which may be optional, among other parts."""
    group = st.builds(
        lambda begin, parts, end: Spelled(begin, begin) + joined(parts, "|") + Spelled(end, end),
        st.sampled_from(["(", "(?:"]),
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from([")", ")?"]),
    )
    return st.lists(group | inner, min_size=1, max_size=4).map(joined)


PATTERNS = st.builds(
    lambda begin, middle, end: begin + middle + end,
    st.sampled_from(alike("^", "^", "")),
    st.recursive(PIECES, grouped, max_leaves=6),
    st.sampled_from([Spelled("$", r"\Z"), Spelled("$", r"\Z"), Spelled("", "")]),
)
TEXTS = st.text(st.sampled_from(f"aabbc-./9+éü{SMILE}\n\r\u2028]^"), max_size=6)


def test_pattern_matches_the_same_texts_as_in_python(cluster: MiniCluster, tmp_path: Path) -> None:
    drawn: list[tuple[Spelled, list[str]]] = []

    @settings(max_examples=150, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(PATTERNS, st.lists(TEXTS, min_size=4, max_size=8))
    def collect(pattern: Spelled, texts: list[str]) -> None:
        drawn.append((pattern, texts))

    collect()
    fields = {f"f{i}": {"type": "string", "pattern": pattern.schema} for i, (pattern, _) in enumerate(drawn)}
    environment = StreamTableEnvironment.create(cluster.environment({"parallelism.default": "1"}))
    declare(environment, {}, {"type": "object", "properties": fields}, tmp_path)
    asked = [(i, pattern, text) for i, (pattern, texts) in enumerate(drawn) for text in texts]

    found = read(environment, "error", tmp_path, [json.dumps({f"f{i}": text}).encode() for i, _, text in asked])

    matches = [(pattern, text, error is None) for (_, pattern, text), (error, _) in zip(asked, found, strict=True)]
    assert [each for each in matches if bool(re.search(each[0].python, each[1])) is not each[2]] == []
    assert {matched for *_, matched in matches} == {True, False}


def field(schema: Schema | bool) -> dict[str, Any]:
    """Build the schema of an object with such a field `a`."""
    return {"type": "object", "properties": {"a": schema}}


TEXT = {"a": "STRING"}
NOT_PORTABLE = "what all readers understand alike are"


@pytest.mark.parametrize(
    ("columns", "schema", "problem"),
    [
        ({}, "{", "Table default_catalog.default_database.events can't have 'format' = 'guarded-json': it is not JSON"),
        ({}, '"a"', '`"a"` is no schema'),
        ({}, {"type": "array"}, "it has to be that of an object with `properties`"),
        ({}, field({"type": "integer", "multipleOf": 5}), "`a`: it is an integer, for which `multipleOf` can't be"),
        ({}, field({"type": "string", "minimum": 5}), "`a`: it is a string, for which `minimum` can't be enforced"),
        ({}, field({"type": "string", "format": "email"}), "`a`: it is a string, for which `format` can't be enforced"),
        ({}, field({"minimum": 5}), "`a`: it has neither a type nor values"),
        ({}, field({"type": "integer", "minimum": "5"}), '`a`: `minimum` has to be a number, not "5"'),
        ({}, field({"type": "null"}), "`a`: `null` is not a type that can be read"),
        ({}, field({"type": ["integer", "string"]}), "`a`: it lists 2 types besides null; say it with `anyOf`"),
        ({}, field({"anyOf": [{"type": "null"}]}), "`a`: it can only be null"),
        ({}, field({"anyOf": [{"type": "null"}], "minimum": 1}), "`a`: beside `anyOf` it has `minimum`"),
        ({}, field({"anyOf": [{"type": "string"}, {"enum": ["a"]}]}), "`a`: its alternatives are not of one type each"),
        (
            {},
            field({"anyOf": [{"type": "integer"}, {"type": "number", "minimum": 1}]}),
            "`a`: its alternatives can't be told apart by their types",
        ),
        ({}, field({"allOf": []}), "`a`: it has neither a type nor values"),
        ({}, field({"enum": ["a", 1]}), "`a`: its values are neither all strings nor all integers"),
        ({}, field({"type": "string", "contentEncoding": "base32"}), "`a`: contentEncoding base32 can't be read"),
        ({}, field({"$ref": "#/definitions/None"}), "`a`: `$ref` #/definitions/None leads nowhere"),
        ({}, field({"$ref": "https://schemas/a"}), "`a`: `$ref` https://schemas/a leads nowhere"),
        ({}, field({"$ref": "#/properties/a"}), "`a`: `$ref` #/properties/a leads back to itself"),
        ({}, field({"type": "array", "items": {"type": "array", "items": False}}), "`a[][]`: `false` is no schema"),
        (
            {},
            field({"type": "object", "properties": {}, "additionalProperties": {}}),
            "`a`: it has `properties` and a schema for `additionalProperties`",
        ),
        ({}, {**field({}), "required": ["b"]}, "it requires `b`, which it doesn't describe"),
        (TEXT, {"type": "object", "properties": {}}, "it has a column `a`, but its schema no such field"),
        (TEXT, field({"type": "integer"}), "column `a` is STRING, but its schema says an integer"),
        ({"a": "DOUBLE"}, field({"type": "integer"}), "column `a` is DOUBLE, but its schema says an integer"),
        ({"a": "BIGINT"}, field({"type": "number"}), "column `a` is BIGINT, but its schema says a number"),
        (
            {"a": "DECIMAL(5, 2)"},
            field({"type": "string"}),
            "column `a` is DECIMAL(5, 2), but its schema says a string",
        ),
        (
            TEXT,
            field({"type": "string", "contentEncoding": "base64"}),
            "column `a` is STRING, but its schema says a string in base64",
        ),
        (
            {"a": "ARRAY<ROW<b STRING>>"},
            field({"type": "array", "items": {"type": "object", "properties": {"b": {"type": "boolean"}}}}),
            "column `a[].b` is STRING, but its schema says a boolean",
        ),
        (
            {"a": "MAP<STRING, STRING>"},
            field({"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "boolean"}]}}),
            "column `a.*` is STRING, but its schema says a choice of types",
        ),
        ({}, field({"enum": []}), "`a`: it has neither a type nor values"),
        ({}, field({"type": "string", "enum": []}), "`a`: none of its values can be a string"),
        ({}, field({"type": "string", "enum": [None]}), "`a`: none of its values can be a string"),
        ({}, field({"type": "string", "enum": "ab"}), '`a`: `enum` has to be a list, not "ab"'),
        ({}, field({"type": "string", "enum": ["a", 1]}), "`a`: it is a string, but 1 is among its values"),
        ({}, field({"type": "string", "const": 1}), "`a`: it is a string, but 1 is among its values"),
        ({}, field({"type": "string", "const": "a", "enum": ["a"]}), "`a`: beside `const` it has `enum`"),
        ({}, field({"type": "integer", "enum": [1.5]}), "`a`: it is an integer, but 1.5 is among its values"),
        (
            {},
            field({"type": "integer", "enum": [2**63]}),
            "`a`: it is an integer, but 9223372036854775808 is among its",
        ),
        ({}, field({"type": "integer", "enum": ["1"]}), '`a`: it is an integer, but "1" is among its values'),
        (
            {},
            field({"enum": ["abc", "a"], "minLength": 2, "maxLength": 2}),
            '`a`: its other rules leave none of its values: "a" is too short: 1 character, at least 2',
        ),
        (
            {},
            field({"const": "abc", "pattern": "^[A-Z]+$"}),
            '`a`: its other rules leave none of its values: "abc" doesn\'t match ^[A-Z]+$',
        ),
        (
            {},
            field({"type": ["integer", "null"], "enum": [1, 2, None], "exclusiveMinimum": 2}),
            "`a`: its other rules leave none of its values: 2 isn't more than 2",
        ),
        ({}, field({"type": "integer", "minimum": 2, "maximum": 1}), "`a`: `minimum` and `maximum` leave no value"),
        ({}, field({"type": "integer", "minimum": 1.2, "maximum": 1.8}), "`a`: `minimum` and `maximum` leave no value"),
        (
            {},
            field({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}),
            "`a`: `exclusiveMinimum` and `exclusiveMaximum` leave no value",
        ),
        (
            {},
            field({"type": "number", "minimum": 1, "exclusiveMaximum": 1}),
            "`a`: `minimum` and `exclusiveMaximum` leave no value",
        ),
        (
            {},
            '{"type": "object", "properties": {"a": {"type": "number", "minimum": 1e999}}}',
            "`minimum` is beyond what",
        ),
        ({}, field({"type": "string", "minLength": 2, "maxLength": 1}), "`minLength` and `maxLength` leave no value"),
        ({}, field({"type": "array", "minItems": 2, "maxItems": 1}), "`minItems` and `maxItems` leave no value"),
        ({}, field({"type": "string", "minLength": -1}), "`minLength` has to be a whole number from 0 on, not -1"),
        ({}, field({"type": "string", "maxLength": 1.5}), "`maxLength` has to be a whole number from 0 on, not 1.5"),
        ({}, field({"type": "string", "pattern": 5}), "`a`: `pattern` has to be a string, not 5"),
        ({}, field({"type": {}, "enum": ["a"]}), "`a`: `type` has to be a string, not {}"),
        ({}, field({"anyOf": {"b": {"type": "string"}}}), '`a`: `anyOf` has to be a list, not {"b"'),
        ({}, {"type": "object", "properties": []}, "`properties` has to be an object, not []"),
        ({}, {**field({}), "required": "a"}, '`required` has to be a list, not "a"'),
        ({}, {**field({}), "additionalProperties": "no"}, '`additionalProperties` has to be true or false, not "no"'),
        ({}, '{"type": "object", "properties": {}, "properties": {}}', "it is not JSON: Duplicate field 'properties'"),
        ({}, '{"type": "object", "properties": {}} {}', "it is not JSON: Trailing token"),
        ({}, field({"type": "string", "pattern": "a{150}b{151}"}), "the pattern a{150}b{151} has 301 steps, counting"),
        ({}, field({"type": "string", "pattern": r"^\d+$"}), r'from "\d+$" on: what all readers understand'),
        ({}, field({"type": "string", "pattern": "[a-z&&[b]]"}), NOT_PORTABLE),
        ({}, field({"type": "string", "pattern": "a++"}), NOT_PORTABLE),
        ({}, field({"type": "string", "pattern": "(?i)a"}), NOT_PORTABLE),
        ({}, field({"type": "string", "pattern": "^(a|b)*$"}), 'can\'t be used from ")*$" on'),
        ({}, field({"type": "string", "pattern": "(a"}), "the pattern (a is wrong: Unclosed group"),
    ],
)
def test_schema_that_cannot_be_enforced_is_refused_at_planning(
    columns: Mapping[str, str],
    schema: Schema | str,
    problem: str,
    table_environment: StreamTableEnvironment,
    tmp_path: Path,
) -> None:
    with pytest.raises(Py4JJavaError, match=re.escape(problem)):
        declare(table_environment, columns, schema, tmp_path)
        table_environment.explain_sql("SELECT * FROM events")
