"""Rejected records: each one once for all programs that rejected it, with the history of its replays in its headers."""

from dataclasses import replace

import pytest

from events import Header
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_formatting import record_in_full
from ops.dead_letters.rejected_record import past, rejected_records, replay_headers
from tests.builders.events import dead_letter, event_time

NOW = event_time("13:00:00.250")


def test_dead_letters_of_two_jobs_are_one_record() -> None:
    letters = [dead_letter(rejected_by="fraud_detection", reason="a"), dead_letter(rejected_by="warehouse", reason="b")]

    [rejected] = rejected_records(letters)

    assert rejected.letters == tuple(letters)
    assert (rejected.record.rejected_by, rejected.record.reason) == (("fraud_detection", "warehouse"), "a; b")


def test_rejected_record_keeps_every_byte() -> None:
    letter = dead_letter(
        "db-changes.customers-3-9", b"\xff\x00", source_key=b"\xfe", source_headers={"h": b"\xfd", "none": None}
    )

    [rejected] = rejected_records([letter])
    record = rejected.record

    assert (record.topic, record.partition, record.offset) == ("db-changes.customers", 3, 9)
    assert (record.key, record.value, record.timestamp) == (b"\xfe", b"\xff\x00", letter.event_time)
    assert record.headers == {"h": b"\xfd", "none": None}


def test_rejected_records_are_in_the_order_of_their_topic() -> None:
    ids = ["payments-1-10", "payments-1-9", "payments-0-11", "orders-1-1"]

    found = [each.letter.event_id for each in rejected_records(map(dead_letter, ids))]

    assert found == ["orders-1-1", "payments-0-11", "payments-1-9", "payments-1-10"]


def test_replayed_record_keeps_its_headers_and_gets_ours() -> None:
    [rejected] = rejected_records([dead_letter(source_headers={"trace": b"t1"})])

    headers = replay_headers(rejected.record, "payments-0-17", sent_before=0, now=NOW, fix="fix.py:fix sha256:1")

    assert headers == {
        "trace": b"t1",
        "millrace-replay-of": b"payments-0-17",
        "millrace-replays": b"1",
        "millrace-replayed-at": b"2026-03-01T13:00:00.250+00:00",
        "millrace-replay-fix": b"fix.py:fix sha256:1",
    }


def test_record_rejected_again_has_its_whole_history() -> None:
    [first] = rejected_records([dead_letter()])
    once = replay_headers(first.record, "payments-0-17", sent_before=1, now=NOW, fix="a fix")
    [second] = rejected_records([dead_letter("payments-0-99", source_headers=once)])

    twice = past(replay_headers(second.record, "payments-0-99", sent_before=0, now=NOW, fix=""))

    assert (twice.times, twice.letter_ids, twice.fix) == (3, ("payments-0-17", "payments-0-99"), "")


def test_history_of_a_record_is_bounded() -> None:
    record = rejected_records([dead_letter()])[0].record

    for number in range(100):
        headers = replay_headers(record, f"payments-0-{number}", sent_before=0, now=NOW, fix="")
        record = replace(record, headers=headers)

    assert past(record.headers).times == 100
    assert past(record.headers).letter_ids == tuple(f"payments-0-{number}" for number in range(80, 100))


@pytest.mark.parametrize("value", [b"", b"many", b"-1", b"\xff", "²".encode(), None])
def test_invalid_replay_headers_are_no_history(value: bytes | None) -> None:
    assert past({"millrace-replays": value}).times == 0


def test_record_with_another_document_keeps_the_rest() -> None:
    [rejected] = rejected_records([dead_letter(payload='{"a": "é"}'.encode())])

    changed = rejected.record.with_document({**rejected.record.document(), "b": 1})

    assert changed == replace(rejected.record, value='{"a":"é","b":1}'.encode())


def test_repeated_headers_keep_their_order_and_the_last_one_counts() -> None:
    pairs = (("b", b"1"), ("a", None), ("b", b"2"))
    listed = tuple(Header(name=name, value=value) for name, value in pairs)
    [rejected] = rejected_records([dead_letter(source_headers={"a": None, "b": b"2"}, header_list=listed)])

    headers = replay_headers(rejected.record, "payments-0-17", sent_before=0, now=NOW, fix="")

    assert headers.pairs[:3] == pairs
    assert (rejected.record.headers["b"], rejected.record.headers["a"]) == (b"2", None)


def test_record_has_the_source_time_of_its_dead_letter() -> None:
    [rejected] = rejected_records([dead_letter(event_time=0, source_time=-1_000)])

    assert rejected.record.timestamp == -1_000


def test_dead_letter_with_a_time_in_microseconds_can_be_shown() -> None:
    end_of_time = event_time("9999-12-31T23:59:59.999")
    [rejected] = rejected_records([dead_letter(event_time=end_of_time, source_time=1_790_000_000_000_000)])

    assert "9999-12-31 23:59:59 UTC (1790000000000000)" in record_in_full(rejected, Replays(()))
