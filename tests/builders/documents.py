"""Documents that a JSON Schema allows or may refuse: strategies for Hypothesis.

For schemas as `events.schemas` makes them; a bad document differs from a good one in one place, mostly slightly.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Schema = Mapping[str, Any]
Json = Any
Path = tuple[str | int, ...]

LEAST, MOST = -(2**63), 2**63 - 1
LONGEST = 200

SCALARS: list[Json] = [None, True, False, 0, -0.0, 1, -1, 1.0, 0.5, 1e300, 5e-324, "", " ", "1", "null", "EUR", "EUR\n"]
LITTLE: list[Json] = ["A", "EURO", "ÄÖÜ", "\x00", "\U0001f600", "AA==", "AA=", "AAA", "AB==", "A-_A", "AA==\n", "AAE*"]
LARGE: list[Json] = [MOST, LEAST, 90, 90.00000000000001, -180.5, 10, 11, "é" * 128, "\U0001f600" * 129, "a" * 129]
CONTAINERS: list[Json] = [[], {}, [None], [[]], {"": 0}, {"event_id": 1}]
VALUES = st.sampled_from([*SCALARS, *LITTLE, *LARGE, *CONTAINERS])


def good(schema: Schema) -> SearchStrategy[Json]:
    """Return a strategy of documents that the schema allows, with integers of at most 64 bits."""
    return _value(schema, schema)


@st.composite
def one_wrong(draw: st.DrawFn, schema: Schema) -> Json:
    """Draw a good document with one change, which may leave it good."""
    document = json.loads(json.dumps(draw(good(schema))))
    path = draw(st.sampled_from(list(_paths(document))))
    if not path:
        return draw(VALUES)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    match draw(st.sampled_from(["replace", "nudge", "remove", "add"])):
        case "replace":
            holder[path[-1]] = draw(VALUES)
        case "nudge":
            holder[path[-1]] = draw(_near(holder[path[-1]]))
        case "remove":
            del holder[path[-1]]
        case "add" if isinstance(holder, dict):
            holder[draw(st.sampled_from(["surprise", "Event_id", "error", "payload", ""]))] = draw(VALUES)
        case "add":
            holder.insert(0, draw(VALUES))
    return document


def _near(value: Json) -> SearchStrategy[Json]:
    near: list[Json] = [None]
    match value:
        case bool():
            near = [int(value)]
        case int():
            near = [value + 1, value - 1, -value, float(value), str(value), 0]
        case float():
            near = [value + 1, -value, value * 1000, str(value)]
        case str():
            near = [value + "\n", value + "A", value[1:], value.lower(), value * 200, [value]]
        case list():
            near = [[], value * 2, {"0": value}]
        case dict():
            near = [{}, [value], *({name: value[name]} for name in value)]
    return st.sampled_from(near)


def _paths(document: Json, path: Path = ()) -> Sequence[Path]:
    match document:
        case dict():
            inner = document.items()
        case list():
            inner = enumerate(document)
        case _:
            inner = ()
    return [path, *(below for step, each in inner for below in _paths(each, (*path, step)))]


def _value(schema: Schema, root: Schema) -> SearchStrategy[Json]:
    if "$ref" in schema:
        return _value(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return st.one_of([_value(each, root) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _BY_TYPE[schema["type"]](schema, root)


def _number(schema: Schema, _: Schema) -> SearchStrategy[Json]:
    least, most = schema.get("minimum"), schema.get("maximum")
    return st.floats(least, most, allow_nan=False, allow_infinity=False) | st.integers(*_bounds(schema))


def _bounds(schema: Schema) -> tuple[int, int]:
    above = schema.get("exclusiveMinimum", LEAST - 1)
    return schema.get("minimum", above + 1), schema.get("maximum", MOST)


def _text(schema: Schema, _: Schema) -> SearchStrategy[Json]:
    if "contentEncoding" in schema:
        return st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    least, most = schema.get("minLength", 0), schema.get("maxLength", LONGEST)
    return st.text(min_size=least, max_size=min(most, 8)) | st.sampled_from(["é" * most, "\U0001f600" * most])


def _array(schema: Schema, root: Schema) -> SearchStrategy[Json]:
    least = schema.get("minItems", 0)
    return st.lists(_value(schema["items"], root), min_size=least, max_size=schema.get("maxItems", least + 2))


def _object(schema: Schema, root: Schema) -> SearchStrategy[Json]:
    if "properties" not in schema:
        return st.dictionaries(st.text(max_size=3), _value(schema["additionalProperties"], root), max_size=3)
    fields = {name: _value(each, root) for name, each in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema["required"]}
    return st.fixed_dictionaries(required, optional=fields)


_BY_TYPE: Mapping[str, Callable[[Schema, Schema], SearchStrategy[Json]]] = {
    "null": lambda *_: st.none(),
    "boolean": lambda *_: st.booleans(),
    "integer": lambda schema, _: st.integers(*_bounds(schema)),
    "number": _number,
    "string": _text,
    "array": _array,
    "object": _object,
}
