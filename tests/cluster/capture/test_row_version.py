"""The transform for Kafka Connect, applied without a worker to changes as Debezium captures them."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.capture.connect_programs import connect_program

TABLES = ("shop.people db-changes.people person_version id millrace.people_read", "millrace.beats beats beat connector")

COLUMNS: dict[str, dict[str, Any]] = {
    "op": {"type": "string"},
    "id": {"type": "string"},
    "name": {"type": "string", "default": "nobody"},
    "points": {"type": "int64", "default": 0},
    "is_member": {"type": "boolean"},
    "photo": {"type": "bytes"},
    "photos": {"type": "array", "items": {"type": "bytes"}},
    "born_on": {"type": "string", "name": "io.debezium.time.IsoDate"},
    "balance": {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
}
SOURCE: dict[str, dict[str, Any]] = {
    "schema": {"type": "string"},
    "table": {"type": "string"},
    "lsn": {"type": "int64"},
    "ts_ms": {"type": "int64"},
}
ADA = {"id": "p1", "name": "Ada", "points": 3, "is_member": True}
ANN = ADA | {"name": "Ann"}

Transform = Callable[..., Any]


@pytest.fixture(scope="module")
def transform() -> Iterator[Transform]:
    """A function that transforms a change, and returns topic, key, timestamp and value of the record, or the error."""
    command = connect_program("TransformLines", *TABLES)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        lines, answers = process.stdin, process.stdout

        def transform(change: dict[str, Any]) -> Any:
            lines.write(json.dumps(change) + "\n")
            lines.flush()
            return json.loads(answers.readline())

        yield transform
        lines.close()


def change(
    op: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    table: str = "shop.people",
    lsn: int | None = 77,
    time: int | None = 1_000,
) -> dict[str, Any]:
    """Build a change in Debezium's form, with its schema."""
    names = list(after or before or ADA)
    schema, _, name = table.partition(".")
    source = {"schema": schema, "table": name, "lsn": lsn, "ts_ms": time}
    fields = [
        _struct("before", {column: COLUMNS[column] for column in names}),
        _struct("after", {column: COLUMNS[column] for column in names}),
        _struct("source", SOURCE),
        {"field": "op", "type": "string"},
    ]
    return {
        "schema": {"type": "struct", "fields": fields},
        "payload": {"before": before, "after": after, "source": source, "op": op},
    }


def _struct(name: str, columns: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    fields = [{"field": column, "optional": True} | type_ for column, type_ in columns.items()]
    return {"field": name, "type": "struct", "optional": True, "fields": fields}


@pytest.mark.parametrize(
    ("given", "op", "row"),
    [
        (change("c", None, ADA), "c", ADA),
        (change("u", ADA, ANN), "u", ANN),
        (change("d", ANN, None), "d", ANN),
    ],
    ids=["created", "updated", "deleted"],
)
def test_change_is_emitted_as_the_row_from_then_on(
    transform: Transform, given: dict[str, Any], op: str, row: dict[str, Any]
) -> None:
    facts = {"event_id": "people-p1-77", "event_type": "person_version", "event_time": 1_000, "lsn": 77}

    assert transform(given) == {
        "topic": "db-changes.people",
        "key": "p1",
        "timestamp": 1_000,
        "value": facts | {"op": op, "deleted": op == "d"} | row,
    }


@pytest.mark.parametrize("op", ["r", "d"])
def test_row_of_a_relay_is_emitted_as_a_row_of_its_table(transform: Transform, op: str) -> None:
    record = transform(change("c", None, {"op": op} | ADA, table="millrace.people_read"))

    assert (record["topic"], record["value"]["event_id"]) == ("db-changes.people", "people-p1-77")
    assert record["value"]["op"] == op
    assert record["value"]["deleted"] is (op == "d")


def test_emptied_relay_emits_no_record(transform: Transform) -> None:
    assert transform(change("d", {"op": "r"} | ADA, None, table="millrace.people_read")) is None


def test_null_is_not_replaced_by_the_column_s_default(transform: Transform) -> None:
    assert transform(change("c", None, ADA | {"name": None}))["value"]["name"] is None


def test_type_that_json_lacks_is_text(transform: Transform) -> None:
    assert transform(change("c", None, ADA | {"balance": "BOI="}))["value"]["balance"] == "12.50"


def test_bytes_are_base64_and_never_the_name_of_a_java_object(transform: Transform) -> None:
    record = transform(change("c", None, ADA | {"photo": "AQL/", "photos": ["AQL/"]}))["value"]

    assert (record["photo"], record["photos"]) == ("AQL/", ["AQL/"])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (change("t", None, None), "TRUNCATE of shop.people: which rows are gone isn't known"),
        (change("u", None, ANN, lsn=None), "Debezium doesn't say when shop.people changed"),
        (change("u", None, ANN, time=None), "Debezium doesn't say when shop.people changed"),
        (change("d", None, None), "the row of shop.people isn't in the change: ALTER TABLE shop.people REPLICA"),
        (
            change("d", {"id": "p1", "name": "", "points": 0, "is_member": False}, None),
            "the row of shop.people that was deleted isn't in the change: ALTER TABLE shop.people REPLICA",
        ),
        (change("c", None, ADA | {"id": None}), "the row of shop.people has no id"),
        (change("u", ADA, ADA | {"id": "p2"}), "id of shop.people changed, and isn't the primary key there"),
        (
            change("u", None, ADA | {"name": "__debezium_unavailable_value"}),
            "a long value of shop.people that stayed the same isn't in the change",
        ),
        (
            change("u", ADA, ADA | {"born_on": "-5877611-06-21Z"}),
            "a time of shop.people is infinite or after the year 9999",
        ),
        (change("u", ADA, ADA | {"name": "x" * 150_000}), "the row of shop.people has 150007 characters"),
    ],
)
def test_change_that_is_no_event_is_a_record_with_reason_and_known_values(
    transform: Transform, given: dict[str, Any], problem: str
) -> None:
    record = transform(given)

    assert record["topic"] == "db-changes.people"
    assert record["value"]["problem"].startswith(problem)
    assert record["value"].keys() == {"problem", "table", "op", "lsn", "before", "after"}
    assert len(json.dumps(record)) < 6_000


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (change("c", None, ADA, table="shop.others"), "shop.others is captured, but not among the tables with a topic"),
        ({"schema": {"type": "string"}, "payload": "hello"}, "a record of captured is no change of a row: hello"),
    ],
)
def test_undeclared_table_or_record_stops_the_connector(
    transform: Transform, given: dict[str, Any], error: str
) -> None:
    assert transform(given) == {"error": error}
