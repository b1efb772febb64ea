"""Releases of schemas as numbered files; a change that would break readers is never released."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connectors.kafka.topics import PAYMENTS, TOPICS, Topic
from events import Event
from events.schemas import schema, schema_text
from ops.topics.schema_commands import schemas
from ops.topics.schemas import SchemasRefusedError, check, release, released


class First(Event, frozen=True, kw_only=True):
    """A thing."""

    name: str
    """Name of the thing."""


class Second(Event, frozen=True, kw_only=True):
    """A thing."""

    name: str
    """Name of the thing."""
    size: int | None = None
    """Size in centimetres; null if unknown."""


class Broken(Event, frozen=True, kw_only=True):
    """A thing."""

    name: int
    """Number of the thing."""


def things(event: type[Event]) -> Topic:
    return replace(PAYMENTS, name="things", event=event)


def test_first_release_is_version_1(tmp_path: Path) -> None:
    [file] = release([things(First)], tmp_path)

    assert file == tmp_path / "things-value" / "1.json"
    assert file.read_text("utf-8") == schema_text(schema(First))


def test_unchanged_schema_is_not_released_again(tmp_path: Path) -> None:
    release([things(First)], tmp_path)

    assert release([things(First)], tmp_path) == []
    assert [verdict.state for verdict in check([things(First)], tmp_path)] == ["unchanged"]


def test_compatible_change_becomes_the_next_version(tmp_path: Path) -> None:
    release([things(First)], tmp_path)
    states = [verdict.state for verdict in check([things(Second)], tmp_path)]

    release([things(Second)], tmp_path)

    assert states == ["compatible"]
    assert released(things(Second), tmp_path) == {1: schema(First), 2: schema(Second)}


def test_versions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "things-value"
    folder.mkdir()
    for version in (10, 9, 1):
        (folder / f"{version}.json").write_text(schema_text(schema(First)), "utf-8")

    assert list(released(things(First), tmp_path)) == [1, 9, 10]


def test_change_that_breaks_readers_of_any_version_is_refused(tmp_path: Path) -> None:
    release([things(First)], tmp_path)
    release([things(Second)], tmp_path)

    with pytest.raises(SchemasRefusedError) as refusal:
        release([things(Broken)], tmp_path)

    because = "$.name: type changed from string to integer; old records would not be readable"
    assert str(refusal.value).splitlines() == [
        f"things-value: version 1: {because}",
        f"things-value: version 2: {because}",
        "things-value: version 2: $.size: field removed; old records that have it would not be readable",
    ]


def test_refused_schema_prevents_every_release(tmp_path: Path) -> None:
    release([things(First)], tmp_path)
    others = replace(PAYMENTS, name="others", event=Second)

    with pytest.raises(SchemasRefusedError):
        release([others, things(Broken)], tmp_path)

    assert released(others, tmp_path) == {}


@pytest.mark.parametrize("odd", [{"$ref": "#/nowhere/x"}, {"type": "array", "items": [{}]}, {"properties": []}])
def test_schema_in_another_form_is_reported(odd: dict[str, Any], tmp_path: Path) -> None:
    [file] = release([things(First)], tmp_path)
    document = schema(First)
    document["properties"]["name"] = odd
    file.write_text(schema_text(document), "utf-8")

    [verdict] = check([things(First)], tmp_path)

    assert verdict.state == "incompatible"
    assert verdict.reasons[0].startswith("version 1: ")


def test_check_reports_every_subject() -> None:
    result = CliRunner().invoke(schemas, ["check"])

    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.output.splitlines()[1:]] == [topic.subject for topic in TOPICS]


def test_show_prints_the_schema() -> None:
    result = CliRunner().invoke(schemas, ["show", "payments-value"])

    assert result.output == schema_text(schema(PAYMENTS.event))


def test_unavailable_registry_is_one_message() -> None:
    nowhere = {"MILLRACE_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1/apis/ccompat/v7"}

    result = CliRunner().invoke(schemas, ["register"], env=nowhere)

    assert result.exit_code == 1
    assert result.output.startswith("Error: the schema registry at http://127.0.0.1:1/apis/ccompat/v7 doesn't answer")
    assert "MILLRACE_SCHEMA_REGISTRY_URL" in result.output
