"""Tests of SQL pipelines as rows alone: `tests/pipelines/README.md` has their format."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.kafka.topics import TOPICS, Topic
from ops.formats import table
from tests.builders.events import DAY, event_time
from tests.cluster.records import Record

FOLDER = Path(__file__).parents[1] / "pipelines"
DEFAULTS = "defaults"
_THEN = "@then"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A folder of rows that tests one pipeline."""

    folder: Path

    @property
    def pipeline(self) -> str:
        """The pipeline that the rows are for."""
        return self.folder.parent.name

    @property
    def name(self) -> str:
        """The pipeline, and what the case is about."""
        return f"{self.pipeline}/{self.folder.name}"

    def records(self, topic: str, *, then: bool = False) -> list[Record]:
        """Return the records of an input topic, of the first or the second part; none if the topic has no file."""
        defaults = _defaults(topic)
        rows = _rows(self.folder / "in" / f"{topic}.jsonl")
        return [_record(topic, {**defaults, **row}) for row in rows if row.get(_THEN, False) == then]

    def expected(self, topic: str, *, at_first: bool = False) -> list[Row]:
        """Return the rows that an output topic must have in the end, or those due before the second part."""
        rows = _rows(self.folder / "out" / f"{topic}.jsonl")
        return [
            {name: value for name, value in row.items() if name != _THEN}
            for row in rows
            if not (at_first and row.get(_THEN))
        ]

    @property
    def has_two_parts(self) -> bool:
        """Whether the case has records of a second part."""
        return any(self.records(topic, then=True) for topic in self.topics("in"))

    def topics(self, direction: str) -> set[str]:
        """Return the topics that the case has files of, `in` or `out`."""
        return {file.stem for file in (self.folder / direction).glob("*.jsonl")}


def cases() -> list[Case]:
    """Return all cases."""
    folders = sorted(path for path in FOLDER.glob("*/*") if path.is_dir() and path.parent.name != DEFAULTS)
    return [Case(folder) for folder in folders]


def decoded(topic: str, record: Record) -> Row:
    """Return a record's row; if its topic is declared, assert that it is the topic's event under the topic's key."""
    value = record.value or b""
    declared = _topic(topic)
    if declared is None:
        row: Row = json.loads(value)
        return row
    event = msgspec.json.decode(value, type=declared.event, strict=True)
    if declared.key != "source_key":
        assert record.key == str(getattr(event, declared.key)).encode(), f"{topic}: {event} under {record.key!r}"
    assert record.timestamp == event.event_time, f"{topic}: {event} at {record.timestamp}"
    built: Row = msgspec.to_builtins(event)
    return built


def difference(expected: Sequence[Row], actual: Sequence[Row]) -> str:
    """Return a table of all rows with those that are missing (-) or surplus (+); empty if there are none.

    Of each row only the columns that its expected row names are compared.
    """
    columns = list(dict.fromkeys(column for row in expected or actual for column in row))
    styles = {column: next((row[column] for row in expected if column in row), None) for column in columns}
    left = [_cells(row, columns, styles) for row in actual]
    lines: list[tuple[str, ...]] = []
    # The more columns a row has, the fewer rows match: such a row chooses first.
    for row in sorted(expected, key=len, reverse=True):
        wanted = _cells(row, list(row), styles)
        found = next((each for each in left if wanted.items() <= each.items()), None)
        if found is not None:
            left.remove(found)
        lines.append(
            ("" if found else "-", *(found or {column: wanted.get(column, "") for column in columns}).values())
        )
    lines += [("+", *each.values()) for each in left]
    if not any(mark for mark, *_ in lines):
        return ""
    return table(("", *columns), sorted(lines, key=lambda line: line[1:]))


def _cells(row: Row, columns: Sequence[str], styles: Row) -> dict[str, str]:
    return {column: _cell(row.get(column), styles[column]) for column in columns}


def _cell(value: Any, style: Any) -> str:
    """Return a value as shown; milliseconds as a time where the expected rows have a time."""
    if isinstance(style, str) and _is_time(style) and value is not None:
        return _time(event_time(value) if isinstance(value, str) else value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    form = moment.time() if moment.date() == DAY else moment.replace(tzinfo=None)
    return form.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds")


def _is_time(text: str) -> bool:
    try:
        event_time(text)
    except ValueError:
        return False
    return True


def _record(topic: str, row: dict[str, Any]) -> Record:
    special = {key: row.pop(key) for key in list(row) if key.startswith("@")}
    for element, defaults in [(key.removesuffix("[]"), row.pop(key)) for key in list(row) if key.endswith("[]")]:
        row[element] = [{**defaults, **each} for each in row[element]]
    row["event_time"] = timestamp = event_time(row["event_time"])
    for name in special.get("@without", ()):
        del row[name]
    declared = _topic(topic)
    key = special.get("@key", row.get(declared.key) if declared else None)
    value = special.get("@value", json.dumps(row))
    partition = special.get("@partition", 0)
    return Record(value.encode(), None if key is None else str(key).encode(), timestamp, partition)


def _defaults(topic: str) -> dict[str, Any]:
    file = FOLDER / DEFAULTS / f"{topic}.json"
    return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}


def _rows(file: Path) -> list[Row]:
    return list(_parsed(file)) if file.exists() else []


def _parsed(file: Path) -> Iterator[Row]:
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{file.relative_to(FOLDER)}, line {number}: not a row of JSON: {error}") from error


def _topic(name: str) -> Topic | None:
    return next((topic for topic in TOPICS if topic.name == name), None)
