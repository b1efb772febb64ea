"""Dead letters of an SQL pipeline are like any others: they decode strictly, and lead back to their records."""

import hashlib
import time
from dataclasses import replace

import jsonschema
import msgspec
import pytest
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from events import Cut, DeadLetter
from events.schemas import schema
from jobs.environment import insert
from tests.builders.events import event_time, payment
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

END_OF_TIME_MS = event_time("9999-12-31T23:59:59.999")

LARGE = Record(b"x" * 900_000, key=b"c2", timestamp=event_time("12:00:04"), partition=2)
LARGE_KEY = Record(b"no JSON", key=b"k" * 800_000, timestamp=event_time("12:00:05"), partition=2)
MANY_HEADERS = Record(
    b"no JSON",
    key=b"c3",
    timestamp=event_time("12:00:06"),
    partition=2,
    headers={f"header-{number:05}": b"h" * 100 for number in range(9_000)},
)
BEFORE_1970 = Record(b"no JSON", key=b"c4", timestamp=-1_000, partition=3)
MICROSECONDS = Record(b"no JSON", key=b"c5", timestamp=event_time("12:00:07") * 1_000, partition=3)
VALID_BEFORE_1970 = replace(record(topics.PAYMENTS, payment()), timestamp=-1_500, partition=3)
FIRST_TIME = Record(b"no JSON", key=b"c6", timestamp=-(2**63), partition=3)
LAST_TIME = Record(b"no JSON", key=b"c7", timestamp=2**63 - 1, partition=3)
UNUSUAL = [LARGE, LARGE_KEY, MANY_HEADERS, BEFORE_1970, MICROSECONDS, VALID_BEFORE_1970, FIRST_TIME, LAST_TIME]


@pytest.fixture(scope="module")
def written(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Records that a job emits which only writes dead letters."""
    folder = tmp_path_factory.mktemp("dead-letters")
    tables = StreamTableEnvironment.create(cluster.environment())
    records = [GOOD, EMPTY, TOMBSTONE, NOT_JSON, WITHOUT_A_KEY, *UNUSUAL]
    create_table(tables, "payments", write_records(folder / "payments", records))
    create_table(tables, "dead_letters_out", folder / "out")
    tables.execute_sql(sql.read("views/dead_letters_of.sql", {"TABLE": "payments", "JOB": "a job"}))
    tables.execute_sql(insert(tables, "dead_letters_out", "dead_letters_of_payments")).wait()
    return read_records(folder / "out")


@pytest.fixture(scope="module")
def dead_letters(written: list[Record]) -> dict[str, DeadLetter]:
    """Return the dead letters by id."""
    decoded = [msgspec.json.decode(each.value or b"", type=DeadLetter, strict=True) for each in written]
    return {letter.event_id: letter for letter in decoded}


def test_exactly_the_undecodable_records_are_dead_letters(dead_letters: dict[str, DeadLetter]) -> None:
    usual = {"payments-0-1", "payments-1-0", "payments-1-1"}
    assert dead_letters.keys() == usual | {f"payments-2-{n}" for n in range(3)} | {f"payments-3-{n}" for n in range(5)}


def test_dead_letter_has_everything_of_its_record(dead_letters: dict[str, DeadLetter]) -> None:
    letter = dead_letters["payments-1-0"]

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


def test_missing_key_and_empty_key_stay_different(dead_letters: dict[str, DeadLetter]) -> None:
    assert (dead_letters["payments-1-1"].source_key, dead_letters["payments-0-1"].source_key) == (None, b"")


def test_dead_letter_has_the_key_and_the_time_of_its_record(written: list[Record]) -> None:
    assert {(each.key, each.timestamp) for each in written} >= {
        (each.key, each.timestamp) for each in (NOT_JSON, WITHOUT_A_KEY, EMPTY)
    }


def test_dead_letter_is_valid_by_its_schema(written: list[Record]) -> None:
    validator = jsonschema.Draft7Validator(schema(DeadLetter))

    assert written
    assert not [error for each in written for error in validator.iter_errors(msgspec.json.decode(each.value or b""))]


def test_dead_letter_of_a_large_record_has_its_beginning_and_its_sizes(
    written: list[Record], dead_letters: dict[str, DeadLetter]
) -> None:
    letter = dead_letters["payments-2-0"]

    assert letter.cut == Cut(
        key_bytes=2, payload_bytes=900_000, payload_sha256=hashlib.sha256(LARGE.value or b"").hexdigest(), headers=0
    )
    assert letter.payload == b"x" * len(letter.payload or b"")
    assert 740_000 < len(letter.payload or b"") < 750_000
    assert max(len(each.value or b"") + len(each.key or b"") for each in written) <= topics.RECORD_BYTES


def test_dead_letter_of_a_large_key_is_keyed_by_the_beginning_of_the_key(
    written: list[Record], dead_letters: dict[str, DeadLetter]
) -> None:
    letter = dead_letters["payments-2-1"]

    assert (letter.source_key, letter.payload) == (b"k" * 1_024, b"no JSON")
    assert letter.cut is not None
    assert (letter.cut.key_bytes, letter.cut.payload_bytes) == (800_000, 7)
    assert b"k" * 1_024 in {each.key for each in written}


def test_dead_letter_of_many_headers_has_the_first_headers(dead_letters: dict[str, DeadLetter]) -> None:
    letter = dead_letters["payments-2-2"]

    assert letter.cut is not None
    assert letter.cut.headers == 9_000
    assert 0 < len(letter.source_headers) < 9_000
    assert letter.payload == b"no JSON"


@pytest.mark.parametrize(
    ("letter_id", "event_time", "source_time"),
    [
        ("payments-3-0", 0, -1_000),
        ("payments-3-1", END_OF_TIME_MS, MICROSECONDS.timestamp),
        ("payments-3-2", 0, -1_500),
        ("payments-3-3", 0, -(2**63)),
        ("payments-3-4", END_OF_TIME_MS, 2**63 - 1),
    ],
)
def test_dead_letter_keeps_a_time_that_no_event_can_have_as_a_field(
    letter_id: str, event_time: int, source_time: int, dead_letters: dict[str, DeadLetter]
) -> None:
    letter = dead_letters[letter_id]

    assert (letter.event_time, letter.source_time) == (event_time, source_time)


def test_dead_letter_is_written_at_a_time_that_kafka_accepts(written: list[Record]) -> None:
    now = time.time_ns() // 1_000_000

    assert all(0 <= each.timestamp <= now for each in written)


def test_event_with_a_timestamp_before_1970_is_a_dead_letter(dead_letters: dict[str, DeadLetter]) -> None:
    assert dead_letters["payments-3-2"].reason == "the record's timestamp is before 1970"
