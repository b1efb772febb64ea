"""Replays rejected records to their topics, each together with a mark, so that none is sent twice.

A record and its mark are written in one transaction, under one transactional id for everyone who shares the brokers: a
new replay ends the transaction that another left open, and fences earlier replays. It reads the marks after that.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
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
from connectors.kafka.topics import DEAD_LETTER_REPLAYS
from connectors.settings import Settings
from events import DeadLetterReplay
from ops.dead_letters.decisions import Decision
from ops.dead_letters.reading import Replays, read_replays
from ops.dead_letters.rejected_record import Record, replay_headers
from ops.formats import now_ms
from ops.topics.apply import describe

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


class ReplayError(RuntimeError):
    """Not everything was sent; the message gives what was sent, and the remedy."""


@dataclass(frozen=True)
class Unsent:
    """A record that was to be sent, and that Kafka has refused."""

    decision: Decision
    why: str


class _RefusedError(RuntimeError):
    """Kafka refuses a record of the transaction, which is aborted; the message gives the reason."""


class _TopicsRefusedError(_RefusedError):
    """Kafka refuses every record of some topics."""

    def __init__(self, why: str, topics: Collection[str]) -> None:
        super().__init__(why)
        self.topics = topics


def replay_records(
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
        yield from _left_out(left, gone, "its topic no longer exists")
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
        now = now_ms()
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
            raise ReplayError("another replay has begun meanwhile, so this one has stopped: run it again") from error
        with suppress(KafkaError):
            producer.abort_transaction()
        # A refused record ends the transaction, so later records fail as well, with another error.
        causes = (error, *(future.exception for future in futures))
        if topics := {_topic(each) for each in batch} & _forbidden_topics(causes):
            raise _TopicsRefusedError("writing to its topic is not allowed", topics) from error
        if refusal := next((each for each in causes if isinstance(each, REFUSALS)), None):
            raise _RefusedError(str(refusal)) from error
        raise ReplayError(
            f"Kafka: {error}\nrecords that aren't listed as sent were not sent, unless the broker failed during the "
            "commit: run it again; it skips what is marked as sent"
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
    """Create the only producer that may send: it ends the transactions of earlier ones and fences them."""
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
