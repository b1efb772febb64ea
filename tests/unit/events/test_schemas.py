"""The JSON Schemas that are generated from the events."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from connectors.kafka.topics import TOPICS, Topic
from events import BrokenRule, DeadLetter, Event, FraudAlert, ShadowHit
from events.schemas import field_docstrings, schema, schema_text
from tests.builders.events import event_time, order, payment, rule, ruleset

ALERT = FraudAlert(
    event_id="case-1/1",
    event_time=event_time("12:00:05"),
    event_type="fraud_alert.opened",
    case_id="case-1",
    card_id="c1",
    customer_id="customer-of-c1",
    payment_id="c1@12:00:05",
    score=50,
    rules=(BrokenRule(rule="many_payments", score=50, reason="many payments within a minute"),),
    ruleset_version=1,
    features={"count_1m": 4, "distance_km": 12.5, "country": "DE", "countries": ("DE", "FR"), "previous_country": None},
    payments=("c1@12:00:05",),
    payment_count=1,
    amount_minor=4000,
    currency="EUR",
)
DEAD_LETTER = DeadLetter(
    event_id="payments-0-7",
    event_time=event_time("12:00:05"),
    source_topic="payments",
    source_partition=0,
    source_offset=7,
    source_key=b"c1",
    source_headers={"trace": b"\xff", "empty": None},
    payload=b"{\xff",
    reason="not UTF-8 at byte 1",
    rejected_by="fraud_detection",
)
SHADOW_HIT = ShadowHit(
    event_id="c1@12:00:05/shadow",
    event_time=event_time("12:00:05"),
    card_id="c1",
    payment_id="c1@12:00:05",
    ruleset_version=1,
    rules=("new_device",),
)
EXAMPLES = [
    payment(),
    payment(order_id="o1"),
    order(),
    ruleset(rule(), rule("by_function", when=None, function="impossible_travel")),
    ALERT,
    DEAD_LETTER,
    SHADOW_HIT,
]

EVENTS = dict.fromkeys(type(example) for example in EXAMPLES)

of_every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
with_every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.event_id)


def records(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every object with declared fields, by title."""
    for part in (document, *document.get("definitions", {}).values()):
        yield part["title"], part


def accepts(event: type[Event], wire: object) -> bool:
    return bool(Draft7Validator(schema(event)).is_valid(wire))


def on_the_wire(example: Event) -> dict[str, Any]:
    wire: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(example))
    return wire


@of_every_event
def test_every_schema_is_a_valid_schema(event: type[Event]) -> None:
    assert not list(Draft7Validator(Draft7Validator.META_SCHEMA).iter_errors(schema(event)))


@of_every_event
def test_every_record_type_allows_no_other_fields(event: type[Event]) -> None:
    assert all(part["additionalProperties"] is False for _, part in records(schema(event)))


@of_every_event
def test_every_field_is_described(event: type[Event]) -> None:
    silent = [
        f"{title}.{name}"
        for title, part in records(schema(event))
        for name, field in part["properties"].items()
        if not field.get("description")
    ]

    assert not silent


@of_every_event
def test_schema_of_an_event_is_always_the_same_text(event: type[Event]) -> None:
    assert schema_text(schema(event)) == schema_text(schema(event))
    assert list(schema(event)["properties"]) == [field.name for field in msgspec.structs.fields(event)]


@with_every_example
def test_schema_accepts_encoded_events(example: Event) -> None:
    assert accepts(type(example), on_the_wire(example))


@with_every_example
def test_encoded_event_decodes_to_the_same_event(example: Event) -> None:
    assert msgspec.json.decode(msgspec.json.encode(example), type=type(example)) == example


@with_every_example
def test_schema_refuses_an_unknown_field(example: Event) -> None:
    assert not accepts(type(example), on_the_wire(example) | {"surprise": 1})


@with_every_example
def test_schema_refuses_a_missing_field(example: Event) -> None:
    wire = on_the_wire(example)
    del wire["event_id"]

    assert not accepts(type(example), wire)


@with_every_example
@pytest.mark.parametrize("wrong", [{"event_time": "12:00"}, {"event_time": -1}, {"event_id": ""}, {"event_type": "x"}])
def test_schema_refuses_a_wrong_value(example: Event, wrong: dict[str, Any]) -> None:
    assert not accepts(type(example), on_the_wire(example) | wrong)


def test_schema_refuses_an_unknown_nested_field() -> None:
    wire = on_the_wire(order())
    wire["lines"][0]["surprise"] = 1

    assert not accepts(type(order()), wire)


def test_description_is_the_docstring_of_the_field_and_of_its_type() -> None:
    description = schema(type(payment()))["properties"]["country"]["description"]

    assert description == (
        "Where the card was used: the terminal's country, or the one of the buyer's network address. "
        "ISO 3166-1 alpha-2 code."
    )


def test_docstrings_of_inherited_fields_are_found() -> None:
    assert field_docstrings(ShadowHit)["event_id"].startswith("Unique per fact")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_patterns_of_events_are_matched_in_linear_time_by_python_too(topic: Topic) -> None:
    patterns = re.findall(r'"pattern": "(.*)"', schema_text(schema(topic.event)))

    # Python's matcher backs up; with one repetition of any length, at the end of an anchored pattern, it never has to.
    assert [each for each in patterns if not re.fullmatch(r"\^[^*+?|(),]*[*+]?\$", each)] == []
