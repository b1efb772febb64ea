"""What an SQL pipeline rejects is a dead letter like any other: it decodes strictly, and leads back to its record."""

import jsonschema
import msgspec
import pytest
from pyflink.table import StreamTableEnvironment

import sql
from connectors import topics
from events import DeadLetter
from events.schemas import schema
from tests.builders import event_time, payment
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import create_table, record

NOT_JSON = Record(
    b"\x00\xff", key=b"c\xff", timestamp=event_time("12:00:01.234"), partition=1, headers={"h": b"\xfe", "none": None}
)
WITHOUT_A_KEY = Record(b"{}", timestamp=event_time("12:00:02"), partition=1)
EMPTY = Record(b"", key=b"", timestamp=event_time("12:00:03"))
GOOD = record(topics.PAYMENTS, payment())
TOMBSTONE = Record(None, key=b"c1")


@pytest.fixture(scope="module")
def written(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """What a job sends to the topic that does nothing but reject."""
    folder = tmp_path_factory.mktemp("dead-letters")
    tables = StreamTableEnvironment.create(cluster.environment())
    records = [GOOD, EMPTY, TOMBSTONE, NOT_JSON, WITHOUT_A_KEY]
    create_table(tables, "payments", write_records(folder / "payments", records))
    create_table(tables, "dead_letters_out", folder / "out")
    tables.execute_sql(sql.read("views/dead_letters_of.sql", {"TABLE": "payments", "JOB": "a job"}))
    columns = ", ".join(field.name for field in msgspec.structs.fields(DeadLetter))
    tables.execute_sql(f"""
        INSERT INTO dead_letters_out ({columns}, record_time)
        SELECT {columns}, record_time FROM dead_letters_of_payments
    """).wait()
    return read_records(folder / "out")


@pytest.fixture(scope="module")
def letters(written: list[Record]) -> dict[str, DeadLetter]:
    """By id."""
    decoded = [msgspec.json.decode(each.value or b"", type=DeadLetter, strict=True) for each in written]
    return {letter.event_id: letter for letter in decoded}


def test_what_does_not_decode_is_a_dead_letter_and_nothing_else_is(letters: dict[str, DeadLetter]) -> None:
    assert letters.keys() == {"payments-0-1", "payments-1-0", "payments-1-1"}


def test_a_dead_letter_has_all_that_the_record_had(letters: dict[str, DeadLetter]) -> None:
    letter = letters["payments-1-0"]

    assert letter == DeadLetter(
        event_id="payments-1-0",
        event_time=event_time("12:00:01.234"),
        source_topic="payments",
        source_partition=1,
        source_offset=0,
        source_key=b"c\xff",
        source_headers={"h": b"\xfe", "none": None},
        payload=b"\x00\xff",
        reason="not UTF-8 (byte 1)",
        rejected_by="a job",
    )


def test_no_key_and_an_empty_key_are_told_apart(letters: dict[str, DeadLetter]) -> None:
    assert (letters["payments-1-1"].source_key, letters["payments-0-1"].source_key) == (None, b"")


def test_a_dead_letter_is_written_under_the_key_and_the_time_of_its_record(written: list[Record]) -> None:
    assert {(each.key, each.timestamp) for each in written} == {
        (each.key, each.timestamp) for each in (NOT_JSON, WITHOUT_A_KEY, EMPTY)
    }


def test_a_dead_letter_is_valid_by_its_schema(written: list[Record]) -> None:
    validator = jsonschema.Draft7Validator(schema(DeadLetter))

    for each in written:
        validator.validate(msgspec.json.decode(each.value or b""))
