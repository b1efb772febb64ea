"""Changes of a schema that keep old records readable, and those that don't."""

import copy

import pytest

from events import Event, FraudAlert, Order, Payment
from events.compatibility import incompatibilities
from events.schemas import schema
from tests.builders.schema_changes import COMPATIBLE, INCOMPATIBLE, STRING, Change, record


@pytest.mark.parametrize("change", COMPATIBLE, ids=lambda change: change.what)
def test_old_records_stay_readable(change: Change) -> None:
    assert incompatibilities(change.old, change.new) == []


@pytest.mark.parametrize("change", INCOMPATIBLE, ids=lambda change: change.what)
def test_change_that_breaks_readers_is_explained(change: Change) -> None:
    assert incompatibilities(change.old, change.new) == [change.reason]


@pytest.mark.parametrize("event", [Payment, Order, FraudAlert])
def test_every_broken_field_has_its_own_reason(event: type[Event]) -> None:
    old, new = schema(event), copy.deepcopy(schema(event))
    del new["properties"]["event_id"]
    new["properties"]["event_time"]["type"] = "string"

    assert [reason.partition(":")[0] for reason in incompatibilities(old, new)] == ["$.event_id", "$.event_time"]


def test_definition_may_change_its_name() -> None:
    items = {"type": "array", "items": {"$ref": "#/definitions/Old"}}
    old = record(definitions={"Old": record(x=STRING)}, lines=items)
    new = record(definitions={"New": record(x=STRING)}, lines=items | {"items": {"$ref": "#/definitions/New"}})

    assert incompatibilities(old, new) == []


def test_recursive_type_is_compared_once() -> None:
    def tree(limit: int) -> dict[str, object]:
        node = record(name={"type": "string", "maxLength": limit}, parent={"$ref": "#/definitions/Node"})
        return record(definitions={"Node": node}, root={"$ref": "#/definitions/Node"})

    assert incompatibilities(tree(5), tree(9)) == []
    assert len(incompatibilities(tree(9), tree(5))) == 1


def test_change_is_judged_in_its_direction() -> None:
    narrow, wide = record(a={"enum": ["x"]}), record(a={"enum": ["x", "y"]})

    assert not incompatibilities(narrow, wide)
    assert incompatibilities(wide, narrow)
