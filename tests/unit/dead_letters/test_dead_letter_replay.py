"""Decisions on rejected records and their replay, and the reasons for those that aren't sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import msgspec
import pytest
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from connectors.kafka.dead_letter_size import cut_to_limit
from connectors.kafka.topics import DAY_MS, PAYMENTS
from connectors.settings import Settings
from events import DeadLetter
from ops.dead_letters import replay as dead_letter_replay
from ops.dead_letters.decisions import Change, Decision, decide, unchanged
from ops.dead_letters.fixes import FixError
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_formatting import difference, record_in_full
from ops.dead_letters.rejected_record import Record, Rejected, rejected_records
from ops.dead_letters.replay import ReplayError, Unsent, replay_records
from ops.topics.apply import RealTopic
from tests.builders.events import dead_letter, event_time, payment, replay

NOW = event_time("13:00:00")
REAL = {"payments": RealTopic(4, PAYMENTS.config()), "their-topic": RealTopic(1, {})}
GOOD = msgspec.json.encode(payment())
BAD = msgspec.json.encode(payment(currency="euro"))


def decision(letter: DeadLetter, change: Change = unchanged, replays: Replays | None = None, **more: Any) -> Decision:
    """Return the decision on the dead letter's record."""
    options: dict[str, Any] = {"real_topics": REAL, "again": False, "now": NOW} | more
    [decided] = decide(rejected_records([letter]), change, replays or Replays(()), **options)
    return decided


def set_currency(rejected: Rejected) -> Record | None:
    document = rejected.record.document()
    return rejected.record.with_document({**document, "currency": "EUR"})


def test_fixed_record_is_sent() -> None:
    decided = decision(dead_letter(payload=BAD), set_currency)

    assert decided.record is not None
    assert msgspec.json.decode(decided.record.value or b"", type=type(payment())) == payment()
    assert (decided.is_changed, decided.notes) == (True, ())


def test_record_that_would_be_rejected_again_is_refused() -> None:
    decided = decision(dead_letter(payload=BAD))

    assert (decided.record, decided.is_refused) == (None, True)
    assert decided.why_not.startswith("it would be rejected again: ")
    assert "currency" in decided.why_not


def test_record_that_is_still_invalid_after_its_fix_is_refused() -> None:
    two_wrong = msgspec.json.encode(payment(currency="euro", country="Germany"))

    assert "country" in decision(dead_letter(payload=two_wrong), set_currency).why_not


def test_valid_record_is_sent_unchanged() -> None:
    letter = dead_letter(payload=GOOD, reason="the character U+0000, which PostgreSQL can't hold")

    decided = decision(letter)

    assert decided.record == decided.rejected.record
    assert not decided.is_changed
    assert decided.notes == ("unchanged: it is rejected again unless the job or its schema has changed since",)


def test_integer_that_no_reader_can_hold_is_refused() -> None:
    large = GOOD.replace(b'"amount_minor":4000', b'"amount_minor":9223372036854775808')

    assert "64 bits" in decision(dead_letter(payload=large)).why_not


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (dead_letter("gone-0-1", GOOD), "there is no topic gone (any more)"),
        (dead_letter(payload=None), "it has no value"),
        (dead_letter(payload=GOOD, source_headers={"none": None}), "its header none is null"),
    ],
)
def test_record_that_can_not_be_sent_is_refused(letter: DeadLetter, reason: str) -> None:
    assert reason in decision(letter).why_not


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (
            dead_letter(payload=GOOD, event_time=NOW + 300_001),
            "its time is 300,001 ms ahead, and payments accepts at most 300,000 ms: a fix can change it",
        ),
        (
            dead_letter(payload=GOOD, event_time=0, source_time=-1_000),
            "it would be rejected again: no event has the time -1000; a fix can change it",
        ),
        (
            cut_to_limit(dead_letter(payload=b"x" * 2_000_000)),
            "of 2,000,000 bytes, and the record is no longer in payments",
        ),
        (
            dead_letter(payload=GOOD, source_partition=-1, source_offset=-1, rejected_by="order_enrichment"),
            "it was never in payments: order_enrichment could not write it",
        ),
    ],
)
def test_record_that_its_topic_would_not_accept_is_refused(letter: DeadLetter, reason: str) -> None:
    decided = decision(letter)

    assert decided.is_refused
    assert reason in decided.why_not


def test_record_for_a_topic_without_time_limit_keeps_its_time() -> None:
    decided = decision(dead_letter("their-topic-0-1", b"x", event_time=0, source_time=-1_000))

    assert decided.record is not None
    assert decided.record.timestamp == -1_000


def test_record_of_an_undeclared_topic_is_sent_unchecked() -> None:
    decided = decision(dead_letter("their-topic-0-1", b"\xff"))

    assert decided.record is not None
    assert decided.notes[0] == "its topic isn't declared, so it was checked against no schema"


def test_replayed_record_is_sent_again_only_with_again() -> None:
    letter, sent = dead_letter("payments-2-17", GOOD), Replays([replay()])

    assert decision(letter, replays=sent).why_not == (
        "replayed on 2026-03-01 13:00:00 UTC as payments-2-99; --again replays it again"
    )
    assert not decision(letter, replays=sent).is_refused
    assert decision(letter, replays=sent, again=True).record is not None


def test_fix_that_fails_on_one_record_refuses_only_that() -> None:
    def fix(rejected: Rejected) -> Record | None:
        if rejected.record.offset == 1:
            raise FixError("the fix failed in line 3")
        return set_currency(rejected)

    letters = [dead_letter("payments-0-1", BAD), dead_letter("payments-0-2", BAD)]
    failed, sent = decide(rejected_records(letters), fix, Replays(()), REAL, again=False, now=NOW)

    assert (failed.record, failed.is_refused, failed.why_not) == (None, True, "the fix failed in line 3")
    assert sent.record is not None


def test_record_skipped_by_its_fix_is_not_refused() -> None:
    decided = decision(dead_letter(payload=BAD), lambda _: None)

    assert (decided.record, decided.is_refused) == (None, False)


@pytest.mark.parametrize(("days", "is_warned"), [(30, False), (31, True)])
def test_record_that_its_topic_may_delete_at_once_has_a_warning(days: int, is_warned: bool) -> None:
    letter = dead_letter(payload=GOOD, event_time=NOW - days * DAY_MS)

    assert any("older than its topic keeps (30 days)" in note for note in decision(letter).notes) == is_warned


def test_late_record_has_a_warning() -> None:
    letter = dead_letter(payload=GOOD, reason="late: more than an hour")

    assert any("late again" in note for note in decision(letter).notes)


def difference_of(changes: Mapping[str, Any]) -> list[str]:
    [rejected] = rejected_records([dead_letter(payload=b'{"currency":"euro","email":"a@example.org"}')])
    return list(difference(rejected.record, replace(rejected.record, **changes)))


def test_change_by_a_fix_is_shown_line_by_line() -> None:
    assert difference_of({"value": b'{"currency":"EUR","email":"a@example.org"}', "key": b"card-12345678"}) == [
        " time: 1772366400000",
        "-key          ••• (2 characters)",
        "+key          •••5678",
        " {",
        '-  "currency": "euro",',
        '+  "currency": "EUR",',
        '   "email": "••• (13 characters)"',
    ]


def test_change_of_a_masked_value_is_reported_and_not_shown() -> None:
    assert difference_of({"value": b'{"currency":"euro","email":"b@example.org"}'}) == [
        "(what is changed is masked, or is only another way to write the same)"
    ]


def test_record_in_full_shows_its_origin_and_history() -> None:
    headers = {"millrace-replays": b"1", "millrace-replay-of": b"payments-2-3", "millrace-replayed-at": b"yesterday"}
    letters = [
        dead_letter(
            "payments-2-17", b'{"card_id":"card-12345678"}', source_headers=headers, source_key=b"card-12345678"
        ),
        dead_letter("payments-2-17", b'{"card_id":"card-12345678"}', rejected_by="warehouse", reason="\x1b[31m"),
    ]
    [rejected] = rejected_records(letters)

    assert record_in_full(rejected, Replays([replay(fix="fix.py:fix sha256:1")])).splitlines() == [
        "payments-2-17",
        "  topic        payments, partition 2, offset 17",
        "  time         2026-03-01 12:00:00 UTC (1772366400000)",
        "  key          •••5678",
        "  header       millrace-replay-of: 12 bytes",
        "  header       millrace-replayed-at: 9 bytes",
        "  header       millrace-replays: 1 bytes",
        "  rejected by  fraud_detection: the document ends too early (byte 2)",
        r"  rejected by  warehouse: \x1b[31m",
        "  before       replayed once, as payments-2-3; the last time on yesterday, unchanged",
        "  replayed     once; the last time on 2026-03-01 13:00:00 UTC by an operator as payments-2-99, "
        "fix fix.py:fix sha256:1",
        "  payload      27 bytes",
        "{",
        '  "card_id": "•••5678"',
        "}",
    ]


@dataclass
class Future:
    """A record that was sent."""

    topic: str
    exception: KafkaError | None = None
    partition: int = 0
    offset: int = 0

    def get(self, timeout: float) -> Self:  # noqa: ARG002 - as Kafka's has it
        if self.exception:
            raise self.exception
        return self


@dataclass
class Producer:
    """A Kafka producer whose user may not write to some topics."""

    forbidden: set[str]
    at_once: bool
    """Whether the producer fails when a record is sent; otherwise it fails at the broker's answer."""
    transactions: int = 0
    futures: list[Future] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)

    def begin_transaction(self) -> None:
        self.transactions += 1
        self.futures = []

    def partitions_for(self, topic: str) -> set[int]:
        if self.at_once and topic in self.forbidden:
            raise TopicAuthorizationFailedError({topic})
        return {0}

    def send(self, topic: str, **_: object) -> Future:
        self.futures.append(Future(topic))
        return self.futures[-1]

    def flush(self, timeout: float) -> None:  # noqa: ARG002 - as Kafka's has it
        found = self.forbidden & {future.topic for future in self.futures}
        for future in self.futures if found else ():
            future.exception = TopicAuthorizationFailedError(found)

    def commit_transaction(self) -> None:
        self.committed += [future.topic for future in self.futures]

    def abort_transaction(self) -> None:
        """Commit nothing."""


def outcomes(monkeypatch: pytest.MonkeyPatch, producer: Producer) -> list[tuple[str, str]]:
    """Replay three records each of two topics; return each topic and why its record was not sent."""

    @contextmanager
    def only_producer(_: Settings) -> Iterator[Producer]:
        yield producer

    monkeypatch.setattr(dead_letter_replay, "_only_producer", only_producer)
    monkeypatch.setattr(dead_letter_replay, "read_replays", lambda _: Replays(()))
    monkeypatch.setattr(dead_letter_replay, "describe", lambda _: REAL)
    letters = [
        dead_letter(event_id=f"{name}-0-{offset}", source_topic=name, source_offset=offset, payload=GOOD)
        for offset in range(3)
        for name in REAL
    ]
    sent = replay_records(Settings(), map(decision, letters), fix="", again=False, replayed_by="us")
    return sorted(
        (each.decision.rejected.letter.source_topic, each.why) if isinstance(each, Unsent) else (each.source_topic, "")
        for each in sent
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_forbidden_topic_does_not_stop_records_of_others(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    producer = Producer({"their-topic"}, at_once)

    found = outcomes(monkeypatch, producer)

    assert found == [("payments", "")] * 3 + [("their-topic", "writing to its topic is not allowed")] * 3
    assert producer.committed == ["payments"] * 3 + ["dead-letter-replays"] * 3
    assert producer.transactions == 2


def test_record_whose_replay_can_not_be_marked_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer({"dead-letter-replays"}, at_once=False)

    with pytest.raises(ReplayError, match="dead-letter-replays"):
        outcomes(monkeypatch, producer)

    assert producer.committed == []
