"""Writes dead letters for notifications that can't be delivered, with the reason."""

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
from notifier.delivered_ids import OLDEST_MS

WRITE_SECONDS = 30.0
"""Timeout for writing dead letters; after it, they are retried later. The notifier does nothing else meanwhile."""


class NoNotificationError(ValueError):
    """A record isn't a valid notification; the text gives the reason."""


def decoded(record: ConsumerRecord, now_ms: int) -> Notification:
    """Decode the notification in a record.

    Raises:
        NoNotificationError: the record has no valid notification, or it is too old.
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
    """A record that can't be delivered, and the reason."""

    record: ConsumerRecord
    reason: str

    def letter(self) -> DeadLetter:
        """Return the dead letter as it is written, no larger than its topic allows."""
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
    """Writes dead letters; those that can't be written yet wait for the next call."""

    def __init__(self, bootstrap_servers: str) -> None:
        """Store the address; connect only when there is a dead letter to write."""
        self._bootstrap_servers = bootstrap_servers
        self._publisher: Publisher | None = None
        self._waiting: list[Reject] = []
        self.fault = ""
        """Why the last attempt failed."""

    def __len__(self) -> int:
        """Return how many are not written yet."""
        return len(self._waiting)

    def add(self, reject: Reject) -> None:
        """Add a dead letter to write."""
        self._waiting.append(reject)

    def write(self) -> list[Reject]:
        """Write all that wait and return those that are written: all, or none if any failed. Then all are retried."""
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
        """Close the connection."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None


def _ignore(_outgoing: Outgoing, _receipt: Receipt) -> None:
    """Ignore the receipt: the publisher itself reports failures."""
