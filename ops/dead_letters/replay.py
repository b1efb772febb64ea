"""Replays rejected records to their topics, each together with a mark, so that none is sent twice.

A record and its mark are written in one transaction, under one transactional id for everyone who shares the brokers: a
new replay ends the transaction that another left open, and fences earlier replays. It reads the marks after that.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import (
    InvalidProducerEpochError,
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from connectors.kafka.client import kafka_client
from connectors.kafka.topics import DEAD_LETTER_REPLAYS, TOPICS, UNLIMITED_MS, YEAR_9999_MS
from connectors.settings import Settings
from events import DeadLetterReplay
from events.checks import NotTheEventError, check
from ops.dead_letters.export import ExportError
from ops.dead_letters.fixes import FixError
from ops.dead_letters.original_records import whats_missing
from ops.dead_letters.reading import Replays, read_replays
from ops.dead_letters.record_headers import pairs_of
from ops.dead_letters.rejected_record import Record, Rejected, replay_headers
from ops.moments import in_words
from ops.topics.topics import RealTopic, describe, duration

TRANSACTIONAL_ID = "millrace.dead-letter-replays"
"""One id, not one per consumer group prefix: deployments share the topics, and so the replays."""
RECORDS_A_TRANSACTION = 500
"""An open transaction delays consumers that read committed, so it must be short."""
TRANSACTION_TIMEOUT_MS = 30_000
"""After a crash, an open transaction delays consumers for this long, and until brokers check, which they do every 10 s,
unless the next replay ends it."""
ACKNOWLEDGED_WITHIN_SECONDS = 20

LARGEST_RECORD_BYTES = 256 * 1024 * 1024
"""Limit before compression, as a record of that size may have come into a topic; the brokers decide."""

REFUSALS = (InvalidRecordError, InvalidTimestampError, MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors that concern one record only."""

Change = Callable[[Rejected], Record | None]
"""Returns the record to send, or None to leave it alone. Raises FixError or ExportError."""


class ReplayError(RuntimeError):
    """Not everything was sent; the text says what was, and what to do."""


@dataclass(frozen=True)
class Decision:
    """What happens to a rejected record."""

    rejected: Rejected
    record: Record | None
    """Record to send, without the headers about the replay; None if it isn't sent."""
    why_not: str = ""
    notes: tuple[str, ...] = ()
    is_refused: bool = False
    """Whether it isn't sent for a reason that needs attention."""

    @property
    def is_changed(self) -> bool:
        """Whether it differs from the record that was rejected."""
        return self.record is not None and self.record != self.rejected.record


@dataclass(frozen=True)
class Unsent:
    """A record that was to be sent, and that Kafka has refused."""

    decision: Decision
    why: str


class _RefusedError(RuntimeError):
    """Kafka refuses a record of the transaction, which is aborted; the text says why."""


class _TopicsRefusedError(_RefusedError):
    """Kafka refuses every record of some topics."""

    def __init__(self, why: str, topics: Collection[str]) -> None:
        super().__init__(why)
        self.topics = topics


def unchanged(rejected: Rejected) -> Record | None:
    """Return the record without a fix: what rejected it has changed, or it is to be late once more."""
    return rejected.record


def decide(
    rejected: Iterable[Rejected],
    change: Change,
    replays: Replays,
    real_topics: Mapping[str, RealTopic],
    *,
    again: bool,
    now: int,
) -> Iterator[Decision]:
    """Yield which records are sent, and why others aren't.

    Args:
        real_topics: by name, as the brokers have them.
        again: whether to send also what was replayed before.
        now: UTC milliseconds.
    """
    for each in rejected:
        yield _decision(each, change, replays, real_topics, again=again, now=now)


def _decision(
    rejected: Rejected,
    change: Change,
    replays: Replays,
    real_topics: Mapping[str, RealTopic],
    *,
    again: bool,
    now: int,
) -> Decision:
    before = replays.of(rejected.letter)
    if before is not None and not again:
        return Decision(rejected, None, f"{_sent_in_words(before)}; --again sends it once more")
    if missing := whats_missing(rejected.letter):
        return Decision(rejected, None, missing, is_refused=True)
    try:
        record = change(rejected)
    except (FixError, ExportError) as error:
        return Decision(rejected, None, str(error), is_refused=True)
    if record is None:
        return Decision(rejected, None, "left alone by the fix")
    if problem := _problem(record, real_topics, now):
        return Decision(rejected, None, problem, is_refused=True)
    notes = _notes(rejected, record, real_topics[record.topic], now)
    if before is not None:
        notes = (_sent_in_words(before), *notes)
    return Decision(rejected, record, notes=notes)


def _problem(record: Record, real_topics: Mapping[str, RealTopic], now: int) -> str:
    """Return why the record can't be sent, or would be rejected again; empty if neither is the case."""
    return _unsendable(record, real_topics, now) or _wrong_again(record)


def _unsendable(record: Record, real_topics: Mapping[str, RealTopic], now: int) -> str:
    if record.topic not in real_topics:
        return f"there is no topic {record.topic} (any more)"
    if record.value is None:
        return "it has no value"
    ahead = record.timestamp - now
    if ahead > (limit := int(real_topics[record.topic].config.get("message.timestamp.after.max.ms", UNLIMITED_MS))):
        return f"its time lies ahead by {ahead:,} ms, and {record.topic} takes {limit:,}: a fix can change it"
    for name, value in pairs_of(record.headers):
        if value is None:
            return f"its header {name!r} is null, which the client can't send: a fix can give it a value"
    return ""


def _wrong_again(record: Record) -> str:
    event = next((topic.event for topic in TOPICS if topic.name == record.topic), None)
    if event is None:
        return ""
    if not 0 <= record.timestamp < YEAR_9999_MS:
        return f"it would be rejected again: no event has the time {record.timestamp}; a fix can change it"
    try:
        check(record.value or b"", event)
    except NotTheEventError as error:
        return f"it would be rejected again: {error}"
    return ""


def _notes(rejected: Rejected, record: Record, topic: RealTopic, now: int) -> tuple[str, ...]:
    notes = []
    if record.topic not in {each.name for each in TOPICS}:
        notes.append("its topic isn't declared, so it was held against no schema")
    if record == rejected.record:
        notes.append("unchanged: it gets through only if what rejected it has changed since")
    if (
        any(each.reason.startswith("late") for each in rejected.letters)
        and record.timestamp == rejected.letter.event_time
    ):
        notes.append("it was late, and keeps its time: whoever goes by event time finds it late again")
    kept = int(topic.config.get("retention.ms", "-1"))
    if kept >= 0 and record.timestamp < now - kept and "delete" in topic.config.get("cleanup.policy", "delete"):
        notes.append(f"its time is older than its topic keeps ({duration(kept)}): it may be deleted before it is read")
    if len({each.payload for each in rejected.letters}) > 1:
        notes.append(f"its letters differ in payload: that of {rejected.letter.rejected_by} is taken")
    return tuple(notes)


def _sent_in_words(replay: DeadLetterReplay) -> str:
    times = "" if replay.times == 1 else f" ({replay.times} times so far)"
    where = f"{replay.source_topic}-{replay.sent_partition}-{replay.sent_offset}"
    return f"sent again on {in_words(replay.event_time)} as {where}{times}"


def send(
    settings: Settings, decisions: Iterable[Decision], *, fix: str, again: bool, replayed_by: str
) -> Iterator[DeadLetterReplay | Unsent]:
    """Send the records, each with its mark, in transactions of `RECORDS_A_TRANSACTION`.

    Yields what is committed, and what Kafka refuses; a refused record doesn't prevent others from being sent.

    Args:
        fix: label of the fix of those that are changed.
        again: whether to send also what was replayed before; if not, what another replay sent meanwhile is left out.

    Raises:
        ReplayError: another replay began, or the brokers refused; what was yielded is sent, the rest isn't.
        LookupError: the topic of the marks does not exist.
        ConnectionError: no broker answers.
    """
    wanted = [decision for decision in decisions if decision.record is not None]
    if not wanted:
        return
    left = deque(
        wanted[begin : begin + RECORDS_A_TRANSACTION] for begin in range(0, len(wanted), RECORDS_A_TRANSACTION)
    )
    while left:
        yield from _sent_until_refused(settings, left, fix=fix, again=again, replayed_by=replayed_by)


def _sent_until_refused(
    settings: Settings, left: deque[list[Decision]], *, fix: str, again: bool, replayed_by: str
) -> Iterator[DeadLetterReplay | Unsent]:
    """Send what is left, a transaction for each batch, until Kafka refuses a record of one.

    That batch is split into halves, in order, down to that record; records for a topic that takes none are left out at
    once. The rest needs another producer: after a refused record kafka-python continues with sequence numbers that
    brokers don't expect.
    """
    with _only_producer(settings) as producer:
        replays = read_replays(settings)
        gone = {_topic(each) for batch in left for each in batch} - describe(settings).keys()
        yield from _left_out(left, gone, "its topic is not there any more")
        while left:
            batch = [each for each in left.popleft() if again or replays.of(each.rejected.letter) is None]
            try:
                yield from _sent_in_a_transaction(producer, batch, replays, fix, replayed_by)
            except _TopicsRefusedError as error:
                left.appendleft(batch)
                yield from _left_out(left, error.topics, str(error))
                return
            except _RefusedError as error:
                if len(batch) == 1:
                    yield Unsent(batch[0], str(error))
                else:
                    middle = len(batch) // 2
                    left.extendleft((batch[middle:], batch[:middle]))
                return


def _left_out(left: deque[list[Decision]], topics: Collection[str], why: str) -> Iterator[Unsent]:
    """Remove the records of these topics from what is left."""
    for _ in range(len(left)):
        batch = left.popleft()
        yield from (Unsent(each, why) for each in batch if _topic(each) in topics)
        if rest := [each for each in batch if _topic(each) not in topics]:
            left.append(rest)


def _topic(decision: Decision) -> str:
    assert decision.record is not None
    return decision.record.topic


def _sent_in_a_transaction(
    producer: Any, batch: Sequence[Decision], replays: Replays, fix: str, replayed_by: str
) -> list[DeadLetterReplay]:
    futures: list[Any] = []
    try:
        producer.begin_transaction()
        now = time.time_ns() // 1_000_000
        drafts = [
            _replay(decision, replays, fix if decision.is_changed else "", replayed_by, now) for decision in batch
        ]
        for decision, draft in zip(batch, drafts, strict=True):
            futures.append(_send(producer, decision, draft))
        producer.flush(timeout=ACKNOWLEDGED_WITHIN_SECONDS)
        places = [future.get(timeout=0) for future in futures]
        sent = [
            msgspec.structs.replace(draft, sent_partition=place.partition, sent_offset=place.offset)
            for draft, place in zip(drafts, places, strict=True)
        ]
        marks = [_mark(producer, each) for each in sent]
        producer.flush(timeout=ACKNOWLEDGED_WITHIN_SECONDS)
        for mark in marks:
            mark.get(timeout=0)
        producer.commit_transaction()
    except KafkaError as error:
        if _is_locked_out(error):
            raise ReplayError(
                "another replay has begun meanwhile; this one sends nothing more: run it again"
            ) from error
        with suppress(KafkaError):
            producer.abort_transaction()
        # A refused record ends the transaction, so later records fail as well, with another error.
        causes = (error, *(future.exception for future in futures))
        if topics := {_topic(each) for each in batch} & _forbidden_topics(causes):
            raise _TopicsRefusedError("writing to its topic is not allowed", topics) from error
        if refusal := next((each for each in causes if isinstance(each, REFUSALS)), None):
            raise _RefusedError(str(refusal)) from error
        raise ReplayError(
            f"Kafka: {error}\nwhat isn't listed as sent was not sent, unless the broker was lost while it committed: "
            "run it again, it looks at what is marked as sent"
        ) from error
    return sent


def _forbidden_topics(causes: Iterable[BaseException | None]) -> set[str]:
    """Return the topics in these errors: the client names one by its name, and several as a set."""
    named = [each for cause in causes if isinstance(cause, TopicAuthorizationFailedError) for each in cause.args]
    return {topic for each in named for topic in ([each] if isinstance(each, str) else each)}


def _is_locked_out(error: KafkaError) -> bool:
    """Return whether another replay has fenced this one; the client may have the error as the cause of another."""
    return any(isinstance(each, (InvalidProducerEpochError, ProducerFencedError)) for each in (error, *error.args))


def _replay(decision: Decision, replays: Replays, fix: str, replayed_by: str, now: int) -> DeadLetterReplay:
    letter = decision.rejected.letter
    before = replays.of(letter)
    times = before.times + 1 if before else 1
    return DeadLetterReplay(
        event_id=f"{letter.event_id}#{times}",
        event_time=now,
        letter_id=letter.event_id,
        source_topic=letter.source_topic,
        source_partition=letter.source_partition,
        source_offset=letter.source_offset,
        source_time=letter.event_time,
        times=times,
        sent_partition=0,
        sent_offset=0,
        fix=fix,
        replayed_by=replayed_by,
    )


def _send(producer: Any, decision: Decision, draft: DeadLetterReplay) -> Any:
    assert decision.record is not None
    record = decision.record
    headers = replay_headers(record, draft.letter_id, sent_before=draft.times - 1, now=draft.event_time, fix=draft.fix)
    return producer.send(
        record.topic,
        key=record.key,
        value=record.value,
        headers=list(headers.pairs),
        partition=_partition(producer, decision.rejected.record, record),
        timestamp_ms=record.timestamp,
    )


def _partition(producer: Any, was: Record, record: Record) -> int | None:
    """Return the partition that the record was in, however its producer chose it; None, so that the key decides, if
    its key has changed or that partition is gone."""
    still_belongs = record.key == was.key and was.partition in (producer.partitions_for(record.topic) or ())
    return was.partition if still_belongs else None


def _mark(producer: Any, replay: DeadLetterReplay) -> Any:
    return producer.send(
        DEAD_LETTER_REPLAYS.name,
        key=replay.letter_id.encode(),
        value=msgspec.json.encode(replay),
        timestamp_ms=replay.event_time,
    )


@contextmanager
def _only_producer(settings: Settings) -> Iterator[Any]:
    """Create the only producer that may send: transactions of earlier ones are ended, and they can send no more."""
    producer = kafka_client(
        settings,
        KafkaProducer,
        transactional_id=TRANSACTIONAL_ID,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        acks="all",
        compression_type="lz4",
        batch_size=0,  # a batch that is too large would be split, which breaks its sequence numbers
        allow_auto_create_topics=False,
        max_request_size=LARGEST_RECORD_BYTES,
    )
    try:
        producer.init_transactions()
        yield producer
    finally:
        with suppress(KafkaTimeoutError):
            producer.close(timeout=1)
