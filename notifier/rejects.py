"""Where do notifications go that can't be delivered? To the dead letters, with the reason."""

import time
from dataclasses import dataclass

import msgspec
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.letters import fitted
from connectors.kafka.topics import DEAD_LETTERS
from events import DeadLetter, Header, Notification
from events.checks import NotTheEventError, check
from local.simulator.outgoing import Outgoing
from local.simulator.publisher import Publisher, PublishError, Receipt
from notifier import NAME
from notifier.memory import OLDEST_MS

WRITE_SECONDS = 30.0
"""Dead letters that aren't written by then are tried again later; meanwhile nothing else is done."""


class NoNotificationError(ValueError):
    """A record isn't what it should be; the text says why."""


def decoded(record: ConsumerRecord, now_ms: int) -> Notification:
    """The notification in a record.

    Raises:
        NoNotificationError: there is none, or it is too old.
    """
    if record.value is None:
        raise NoNotificationError("the record has no value")
    try:
        check(record.value, Notification)
    except (NotTheEventError, RecursionError) as error:
        raise NoNotificationError(str(error)) from error
    notification = msgspec.json.decode(record.value, type=Notification)
    if now_ms - notification.event_time > OLDEST_MS:
        raise NoNotificationError(f"too old: it was decided more than {OLDEST_MS // 86_400_000} days ago")
    return notification


@dataclass(frozen=True)
class Reject:
    """A record and why it ends here."""

    record: ConsumerRecord
    reason: str

    def letter(self) -> DeadLetter:
        """Return the letter as it is written, no larger than its topic takes."""
        record = self.record
        headers = tuple(Header(name=name, value=value) for name, value in record.headers)
        letter = DeadLetter(
            event_id=f"{record.topic}-{record.partition}-{record.offset}",
            event_time=record.timestamp,
            source_topic=record.topic,
            source_partition=record.partition,
            source_offset=record.offset,
            source_key=record.key,
            source_headers=dict(record.headers),
            payload=record.value,
            reason=self.reason,
            rejected_by=NAME,
            header_list=headers if len(headers) > 1 else None,
        )
        return fitted(letter)


class DeadLetters:
    """Writes rejects down. While that can't be done, they stay."""

    def __init__(self, bootstrap_servers: str) -> None:
        """Nothing is connected before there is a reject."""
        self._bootstrap_servers = bootstrap_servers
        self._publisher: Publisher | None = None
        self._waiting: list[Reject] = []
        self.fault = ""
        """Why the last try failed."""

    def __len__(self) -> int:
        """How many are not written yet."""
        return len(self._waiting)

    def add(self, reject: Reject) -> None:
        """One more."""
        self._waiting.append(reject)

    def write(self) -> list[Reject]:
        """Write all that wait; those that are in the topic then. None of them is if any failed: all are tried again."""
        if not self._waiting:
            return []
        try:
            self._publisher = self._publisher or Publisher(
                self._bootstrap_servers, _ignore, outage_seconds=WRITE_SECONDS
            )
            for reject in self._waiting:
                letter = reject.letter()
                record_time = min(letter.event_time, time.time_ns() // 1_000_000)
                self._publisher.publish_event(
                    Outgoing(DEAD_LETTERS, letter.source_key or b"", record_time, record_time, "good", letter)
                )
            self._publisher.flush()
            if self._publisher.refused:
                raise PublishError("the Kafka broker refuses dead letters for their timestamps: is its clock wrong?")
        except PublishError as error:
            self.fault = str(error)
            self.close()
            return []
        written, self._waiting, self.fault = self._waiting, [], ""
        return written

    def close(self) -> None:
        """Let go of the connection."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None


def _ignore(_outgoing: Outgoing, _receipt: Receipt) -> None:
    """The publisher itself says what failed."""
