"""Changes of a schema and whether old records stay readable, for our own check and for the registry's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events.schemas import DIALECT

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One change of one schema."""

    what: str
    old: Node
    new: Node
    reason: str = ""
    """Reason of our check; empty if old records stay readable."""
    registry_accepts: bool = False
    """Whether the registry accepts the change nevertheless: only our check knows its meaning."""


def record(required: tuple[str, ...] = (), definitions: Node | None = None, **properties: Node) -> dict[str, Any]:
    """Build a closed schema with these fields."""
    document: dict[str, Any] = {
        "$schema": DIALECT,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return document | ({"definitions": definitions} if definitions else {})


def field(old: Node, new: Node) -> tuple[Node, Node]:
    """Build a change of the field `a`."""
    return record(a=old), record(a=new)


def lines(element: Node, **limits: int) -> Node:
    """Build a schema with a list of `element`, by reference."""
    return record(
        definitions={"Line": record(quantity=element) | {"title": "Line"}},
        lines={"type": "array", "items": {"$ref": "#/definitions/Line"}, **limits},
    )


def map_of(values: Node) -> Node:
    """Build an object with any names."""
    return {"type": "object", "additionalProperties": values}


def any_of(*alternatives: Node) -> Node:
    """Build a choice of alternatives."""
    return {"anyOf": list(alternatives)}


STRING, INTEGER, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
BASE64 = {"type": "string", "contentEncoding": "base64"}
UNREADABLE = "would not be readable"
REGISTRY = "old records would be readable, but the registry refuses it"

COMPATIBLE = [
    Change("nothing", *field(STRING, STRING)),
    Change("words changed", *field(STRING | {"description": "x"}, STRING | {"description": "y"})),
    Change("optional field added", record(a=STRING), record(a=STRING, b=INTEGER)),
    Change("required field became optional", record(("a",), a=STRING), record(a=STRING)),
    Change("enum value added", *field({"enum": ["x"]}, {"enum": ["x", "y"]})),
    Change("constant became an enum", *field({"const": "x"}, {"enum": ["x", "y"]})),
    Change("integer became number", *field(INTEGER, NUMBER)),
    Change("null allowed for a text", *field(STRING, any_of(STRING, NULL))),
    Change("alternative added", *field(any_of(STRING, NULL), any_of(STRING, INTEGER, NULL))),
    Change("alternatives reordered", *field(any_of(STRING, NULL), any_of(NULL, STRING))),
    Change("minimum lowered", *field(INTEGER | {"minimum": 1}, INTEGER | {"minimum": 0})),
    Change("minimum dropped", *field(INTEGER | {"minimum": 1}, INTEGER)),
    Change("maximum raised", *field(INTEGER | {"maximum": 10}, INTEGER | {"maximum": 20})),
    Change("minLength lowered", *field(STRING | {"minLength": 2}, STRING | {"minLength": 1})),
    Change("maxLength raised", *field(STRING | {"maxLength": 2}, STRING | {"maxLength": 3})),
    Change("maxLength dropped", *field(STRING | {"maxLength": 2}, STRING)),
    Change("pattern dropped", *field(STRING | {"pattern": "^x$"}, STRING)),
    Change("minItems lowered", lines(INTEGER, minItems=2), lines(INTEGER, minItems=1)),
    Change("map of integers to map of numbers", *field(map_of(INTEGER), map_of(NUMBER))),
    Change(
        "optional field added to an element",
        lines(INTEGER),
        record(
            definitions={"Line": record(quantity=INTEGER, note=STRING)},
            lines={"type": "array", "items": {"$ref": "#/definitions/Line"}},
        ),
    ),
]

INCOMPATIBLE = [
    Change(
        "required field added",
        record(a=STRING),
        record(("b",), a=STRING, b=STRING),
        f"$.b: field is now required; old records without it {UNREADABLE}",
    ),
    Change(
        "optional field became required",
        record(a=STRING),
        record(("a",), a=STRING),
        f"$.a: field is now required; old records without it {UNREADABLE}",
    ),
    Change(
        "field removed",
        record(a=STRING, b=STRING),
        record(a=STRING),
        f"$.b: field removed; old records that have it {UNREADABLE}",
    ),
    Change(
        "type changed",
        *field(INTEGER, STRING),
        f"$.a: type changed from integer to string; old records {UNREADABLE}",
    ),
    Change(
        "number became integer",
        *field(NUMBER, INTEGER),
        f"$.a: type changed from number to integer; old records {UNREADABLE}",
    ),
    Change(
        "type of an element changed",
        lines(INTEGER),
        lines(STRING),
        f"$.lines[].quantity: type changed from integer to string; old records {UNREADABLE}",
    ),
    Change(
        "null not allowed any more",
        *field(any_of(STRING, NULL), STRING),
        f"$.a: type changed from null to string; old records {UNREADABLE}",
    ),
    Change(
        "alternative removed",
        *field(any_of(STRING, INTEGER), any_of(STRING, NULL)),
        f"$.a: type changed from integer to string or null; old records {UNREADABLE}",
    ),
    Change(
        "enum value removed",
        *field({"enum": ["x", "y"]}, {"enum": ["x"]}),
        f"$.a: 'y' is no longer allowed; old records with it {UNREADABLE}",
    ),
    Change(
        "free text became an enum",
        *field(STRING, {"type": "string", "enum": ["x", "y"]}),
        f"$.a: limited to 'x', 'y'; old records with other values {UNREADABLE}",
    ),
    Change(
        "enum became an integer",
        *field({"enum": ["x"]}, INTEGER),
        f"$.a: 'x' is no longer allowed; old records with it {UNREADABLE}",
    ),
    Change(
        "minimum raised",
        *field(INTEGER | {"minimum": 0}, INTEGER | {"minimum": 1}),
        f"$.a: lower bound raised from 0 to 1; smaller old values {UNREADABLE}",
    ),
    Change(
        "minimum added",
        *field(INTEGER, INTEGER | {"exclusiveMinimum": 0}),
        f"$.a: lower bound raised from none to above 0; smaller old values {UNREADABLE}",
    ),
    Change(
        "bound excluded",
        *field(NUMBER | {"minimum": 0}, NUMBER | {"exclusiveMinimum": 0}),
        f"$.a: lower bound raised from 0 to above 0; smaller old values {UNREADABLE}",
    ),
    Change(
        "maximum lowered",
        *field(INTEGER | {"maximum": 20}, INTEGER | {"maximum": 10}),
        f"$.a: upper bound lowered from 20 to 10; larger old values {UNREADABLE}",
    ),
    Change(
        "minLength raised",
        *field(STRING | {"minLength": 1}, STRING | {"minLength": 2}),
        f"$.a: minLength raised from 1 to 2; shorter ones {UNREADABLE}",
    ),
    Change(
        "maxLength lowered",
        *field(STRING | {"maxLength": 3}, STRING | {"maxLength": 2}),
        f"$.a: maxLength lowered from 3 to 2; longer ones {UNREADABLE}",
    ),
    Change(
        "maxLength added",
        *field(STRING, STRING | {"maxLength": 2}),
        f"$.a: maxLength lowered from no limit to 2; longer ones {UNREADABLE}",
    ),
    Change(
        "pattern added",
        *field(STRING, STRING | {"pattern": "^x$"}),
        f"$.a: pattern ^x$ added; old records that don't fit it {UNREADABLE}",
    ),
    Change(
        "pattern changed",
        *field(STRING | {"pattern": "^x$"}, STRING | {"pattern": "^[xy]$"}),
        "$.a: pattern changed from ^x$ to ^[xy]$; whether old records fit it can't be judged",
    ),
    Change(
        "minItems raised",
        lines(INTEGER, minItems=1),
        lines(INTEGER, minItems=2),
        f"$.lines: minItems raised from 1 to 2; shorter ones {UNREADABLE}",
    ),
    Change(
        "map of numbers to map of integers",
        *field(map_of(NUMBER), map_of(INTEGER)),
        f"$.a.*: type changed from number to integer; old records {UNREADABLE}",
    ),
    Change(
        "base64 became text",
        *field(BASE64, STRING),
        "$.a: encoding changed from base64 to none; old records would be read wrongly",
        registry_accepts=True,
    ),
    Change(
        "above 0 became at least 1",
        *field(INTEGER | {"exclusiveMinimum": 0}, INTEGER | {"minimum": 1}),
        f"$.a: lower bound raised from above 0 to 1; smaller old values {UNREADABLE}",
    ),
    Change(
        "enum became free text",
        *field({"enum": ["x", "y"]}, STRING),
        f"$.a: a list of values became a single type; {REGISTRY}: add a new field",
    ),
    Change(
        "null allowed for a number",
        *field(INTEGER, any_of(INTEGER, NULL)),
        f"$.a: a single type became a choice; {REGISTRY}: add a new field",
    ),
    Change(
        "null allowed for an element",
        *field({"type": "array", "items": STRING}, {"type": "array", "items": any_of(STRING, NULL)}),
        f"$.a[]: a single type became a choice; {REGISTRY}: add a new field",
    ),
    Change(
        "null allowed in a map",
        *field(map_of(STRING), map_of(any_of(STRING, NULL))),
        f"$.a.*: a single type became a choice; {REGISTRY}: add a new field",
    ),
    Change(
        "integer or number became number",
        *field(any_of(INTEGER, NUMBER), any_of(NUMBER)),
        f"$.a: fewer alternatives; {REGISTRY}: keep them all",
    ),
    Change(
        "unknown keyword changed",
        *field({"not": STRING}, {"not": INTEGER}),
        "$.a: uses `not`; whether old records would be readable can't be judged",
    ),
]
