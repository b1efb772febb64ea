"""Dead letters are counted by job and topic: those of the last hour, their share, and those not replayed."""

from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import pytest

from connectors.settings import Settings
from ops.dead_letters import reading
from ops.health.answers.brokers import Brokers
from ops.health.answers.letters import LAST, LATEST, LastLetter, Letters, read_letters
from ops.health.check import Reading
from ops.health.measures import dead_letters
from tests.builders.events import dead_letter, replay
from tests.builders.health import NOW, NOW_MS, offsets, scope, values

PAYMENTS, ORDERS = ("fraud_detection", "payments"), ("order_enrichment", "orders")
LETTERS = Letters(
    recent={PAYMENTS: 3, ORDERS: 1, ("fraud_detection", "other"): 1},
    reasons={PAYMENTS: "currency: …", ORDERS: "late", ("fraud_detection", "other"): "?"},
    waiting={PAYMENTS: 7, ORDERS: 2},
)


def test_recent_ones_are_counted_by_job_with_the_most_frequent_reason() -> None:
    assert list(dead_letters.recent(scope(letters=LETTERS))) == [
        Reading("fraud_detection", 4, "most of payments: currency: …"),
        Reading("order_enrichment", 1, "most of orders: late"),
    ]


def test_share_is_that_of_the_topics_records_of_the_last_hour() -> None:
    brokers = Brokers(ends=offsets("payments", 100, 50), recent=offsets("payments", 40, 10))

    assert values(list(dead_letters.share(scope(letters=LETTERS, brokers=brokers)))) == {
        "fraud_detection: payments": 0.03,
        "order_enrichment: orders": 1,
        "fraud_detection: other": 1,
    }


def test_those_not_replayed_are_counted_by_job_and_topic() -> None:
    assert values(list(dead_letters.waiting(scope(letters=LETTERS)))) == {
        "fraud_detection: payments": 7,
        "order_enrichment: orders": 2,
    }


def test_without_dead_letters_there_is_nothing_to_measure() -> None:
    empty = scope(letters=Letters(), brokers=Brokers())

    assert list(dead_letters.recent(empty)) == list(dead_letters.share(empty)) == []
    assert values(list(dead_letters.unreadable(empty))) == {"dead-letters": 0}


def test_letters_are_read_from_the_end_of_their_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [
        dead_letter("payments-0-1", event_time=NOW_MS - 60_000, reason="currency: 'EURO' isn't a currency"),
        dead_letter("payments-0-1", event_time=NOW_MS - 60_000),  # written again after a restart
        dead_letter("payments-0-2", event_time=NOW_MS - 61_000, reason="currency: 'DEMM' isn't a currency"),
        dead_letter("payments-0-3", event_time=NOW_MS - 3_601_000),
        dead_letter("payments-2-17"),  # of noon, and replayed
    ]
    written = {
        "dead-letters": [*map(msgspec.json.encode, letters), b"no dead letter"],
        "dead-letter-replays": [msgspec.json.encode(replay("payments-2-17"))],
    }

    def records(_: Settings, topic: str, latest: int | None = None) -> Iterator[SimpleNamespace]:
        assert latest == (LATEST if topic == "dead-letters" else None)
        for offset, value in enumerate(written[topic]):
            yield SimpleNamespace(topic=topic, partition=0, offset=offset, value=value)

    monkeypatch.setattr(reading, "committed_records", records)

    found = read_letters(Settings(), NOW)

    assert (found.recent, found.waiting, found.unreadable) == ({PAYMENTS: 3}, {PAYMENTS: 3}, 1)
    assert found.reasons == {PAYMENTS: "currency: '…' isn't a currency"}
    assert found.rejected == {PAYMENTS: {(0, 1), (0, 2), (0, 3), (2, 17)}}


def test_last_ones_of_each_job_are_known_without_values_of_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [
        dead_letter(f"payments-0-{number}", event_time=NOW_MS + number, reason="currency: 'EURO' isn't a currency")
        for number in (3, 9, 1, 8, 7, 2, 6)
    ]
    monkeypatch.setattr(
        reading,
        "committed_records",
        lambda _, topic, __=None: (
            SimpleNamespace(topic=topic, partition=0, offset=0, value=msgspec.json.encode(each))
            for each in (letters if topic == "dead-letters" else [])
        ),
    )

    found = read_letters(Settings(), NOW).last

    assert found == {
        "fraud_detection": [
            LastLetter(f"payments-0-{number}", NOW_MS + number, "currency: '…' isn't a currency")
            for number in (9, 8, 7, 6, 3)[:LAST]
        ]
    }
