"""Dead letters of the notifier are written together, and kept while they can't be written."""

import time
from typing import Any

import msgspec
import pytest
from kafka.errors import InvalidTimestampError, KafkaError, KafkaTimeoutError

from connectors.kafka.topics import DEAD_LETTERS, NOTIFICATIONS
from connectors.settings import Settings
from events import DeadLetter
from events.checks import NotTheEventError, check
from notifier import dead_letters
from notifier.dead_letters import DeadLetters, Undeliverable
from tests.builders.notifications import consumed


class Sent:
    """A record that was sent; `error` is the outcome."""

    def __init__(self, error: KafkaError | None) -> None:
        self.error = error

    def get(self, timeout: float) -> None:
        assert timeout == dead_letters.WRITE_SECONDS
        if self.error:
            raise self.error


class Producer:
    """A producer, closed or not, and what it sent."""

    def __init__(self, errors: dict[int, KafkaError]) -> None:
        self.errors = errors
        self.sent: list[dict[str, Any]] = []
        self.closed = False

    def send(self, topic: str, **record: Any) -> Sent:
        assert topic == DEAD_LETTERS.name
        self.sent.append(record)
        return Sent(self.errors.get(len(self.sent)))

    def close(self, timeout: float) -> None:
        assert timeout
        self.closed = True
        if self.errors:
            raise KafkaTimeoutError("records are not acknowledged")


def producers(monkeypatch: pytest.MonkeyPatch, *made: Producer | Exception) -> None:
    """Connect these producers one after the other."""
    left = list(made)

    def connect(*_: object, **__: object) -> Producer:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(dead_letters, "kafka_client", connect)


def undeliverable(offset: int, timestamp_ms: int = 5) -> Undeliverable:
    return Undeliverable(consumed(b"{", offset=offset, timestamp_ms=timestamp_ms), "truncated")


def test_written_dead_letters_are_returned_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer({})
    producers(monkeypatch, producer)
    letters = DeadLetters(Settings())
    waiting = [undeliverable(0), undeliverable(1, timestamp_ms=4_000_000_000_000)]
    for each in waiting:
        letters.add(each)

    assert letters.write() == waiting
    assert (len(letters), letters.fault, letters.write()) == (0, "", [])

    for sent in producer.sent:
        check(sent["value"], DeadLetter)
    written = [msgspec.json.decode(sent["value"], type=DeadLetter) for sent in producer.sent]
    assert [each.event_id for each in written] == [f"{NOTIFICATIONS.name}-0-0", f"{NOTIFICATIONS.name}-0-1"]
    assert [sent["key"] for sent in producer.sent] == [b"k", b"k"]
    assert producer.sent[0]["timestamp_ms"] == 5
    assert abs(producer.sent[1]["timestamp_ms"] - time.time() * 1000) < 60_000
    letters.close()
    assert producer.closed


def test_after_a_failure_all_are_sent_again_by_another_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    failing, good = Producer({2: InvalidTimestampError("its clock is wrong")}), Producer({})
    producers(monkeypatch, failing, good)
    letters = DeadLetters(Settings())
    for offset in (0, 1, 2):
        letters.add(undeliverable(offset))

    assert letters.write() == []
    assert len(letters) == 3
    assert letters.fault.startswith("dead letters can't be written to the topic dead-letters: ")
    assert "its clock is wrong" in letters.fault
    assert failing.closed

    assert letters.write() == [undeliverable(0), undeliverable(1), undeliverable(2)]
    assert (len(good.sent), len(letters), letters.fault) == (3, 0, "")


def test_dead_letters_wait_while_no_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    producers(monkeypatch, ConnectionError("no Kafka broker answers"), Producer({}))
    letters = DeadLetters(Settings())
    letters.add(undeliverable(0))

    assert letters.write() == []
    assert (len(letters), letters.fault[-23:]) == (1, "no Kafka broker answers")
    assert letters.write() == [undeliverable(0)]


def test_dead_letter_that_breaks_its_schema_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer({})
    producers(monkeypatch, producer)
    monkeypatch.setattr(dead_letters, "NAME", "")
    letters = DeadLetters(Settings())
    letters.add(undeliverable(0))

    with pytest.raises(NotTheEventError, match="rejected_by"):
        letters.write()

    assert producer.sent == []
