"""Writes dead letters for notifications that can't be delivered, with the reason."""

import time
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata

from connectors.kafka.client import kafka_client
from connectors.kafka.dead_letter_size import cut_to_limit
from connectors.kafka.topics import DEAD_LETTERS
from connectors.settings import Settings
from events import DeadLetter, Header, Notification
from events.checks import NotTheEventError, check
from notifier import NAME
from notifier.delivered_ids import OLDEST_MS

WRITE_SECONDS = 30.0
"""Timeout for writing dead letters; after it, they are retried later. The notifier does nothing else meanwhile."""
REQUEST_MS = 10_000
"""Timeout of one request to a broker, and of finding the topic's partitions."""
CLOSE_SECONDS = 1


class InvalidNotificationError(ValueError):
    """A record isn't a valid notification; the text gives the reason."""


def decoded(record: ConsumerRecord, now_ms: int) -> Notification:
    """Decode the notification in a record.

    Raises:
        InvalidNotificationError: the record has no valid notification, or it is too old.
    """
    if record.value is None:
        raise InvalidNotificationError("the record has no value")
    try:
        check(record.value, Notification)
    except (NotTheEventError, RecursionError) as error:
        raise InvalidNotificationError(str(error)) from error
    notification = msgspec.json.decode(record.value, type=Notification)
    if now_ms - notification.event_time > OLDEST_MS:
        raise InvalidNotificationError(f"too old: it was decided more than {OLDEST_MS // 86_400_000} days ago")
    return notification


@dataclass(frozen=True)
class Undeliverable:
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
        return cut_to_limit(letter)


class DeadLetters:
    """Writes dead letters; those that can't be written yet wait for the next call."""

    def __init__(self, settings: Settings) -> None:
        """Connect only when there is a dead letter to write."""
        self._settings = settings
        self._producer: KafkaProducer | None = None
        self._waiting: list[Undeliverable] = []
        self.fault = ""
        """Why the last attempt failed."""

    def __len__(self) -> int:
        """Return how many are not written yet."""
        return len(self._waiting)

    def add(self, undeliverable: Undeliverable) -> None:
        """Add a record whose dead letter is to be written."""
        self._waiting.append(undeliverable)

    def write(self) -> list[Undeliverable]:
        """Write all that wait and return those that are written: all, or none if any failed. Then all are retried."""
        if not self._waiting:
            return []
        try:
            self._producer = self._producer or self._connected()
            sent = [_send(self._producer, each.letter()) for each in self._waiting]
            for each in sent:
                each.get(timeout=WRITE_SECONDS)
        except (ConnectionError, KafkaError) as error:
            self.fault = f"dead letters can't be written to the topic {DEAD_LETTERS.name}: {error}"
            self.close()  # an idempotent producer can't continue after a refused record
            return []
        written, self._waiting, self.fault = self._waiting, [], ""
        return written

    def close(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            with suppress(KafkaTimeoutError):  # it has records that aren't acknowledged
                self._producer.close(timeout=CLOSE_SECONDS)
            self._producer = None

    def _connected(self) -> KafkaProducer:
        return kafka_client(
            self._settings,
            KafkaProducer,
            report=lambda _: None,
            within_seconds=0.0,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            delivery_timeout_ms=round(WRITE_SECONDS * 1000),
            request_timeout_ms=REQUEST_MS,
            max_block_ms=REQUEST_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )


def _send(producer: KafkaProducer, letter: DeadLetter) -> FutureRecordMetadata:
    """Check a dead letter and send it.

    Raises:
        NotTheEventError: it is invalid, which is an error in this program.
    """
    # Kafka refuses timestamps that are far in the future.
    timestamp_ms = min(letter.event_time, time.time_ns() // 1_000_000)
    value = msgspec.json.encode(letter)
    check(value, DeadLetter)
    return producer.send(DEAD_LETTERS.name, key=letter.source_key or b"", value=value, timestamp_ms=timestamp_ms)
