"""How does a record get to Kafka? Checked, acknowledged by all replicas, written once, and reported."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Condition
from types import TracebackType
from typing import Any, Self

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import RecordMetadata

from connectors.topics import FUTURE_LIMIT
from events import Event
from events.checks import NotTheEventError, check
from local.services.outgoing import Outgoing

DELIVERY_TIMEOUT_MS = 30_000
"""A broker may be away for so long before a record counts as failed: it can be restarted meanwhile."""
CLOSE_TIMEOUT_SECONDS = 1
BROKER_TIMEOUT_MS = 10_000
MOST_IN_FLIGHT = 20_000
DOUBTFUL_MARGIN_MS = 2_000


class PublishError(RuntimeError):
    """Records did not reach Kafka; the text says why and what to do."""


class InvalidEventError(ValueError):
    """An event is not what its type or its schema says: a mistake in the program that made it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a record."""

    sent_at_ms: int
    """Wall clock, when it was handed to the client."""
    partition: int | None = None
    offset: int | None = None
    refusal: str | None = None
    """Why the broker didn't take it."""
    failure: str | None = None
    """Why nobody knows whether the broker took it."""


def checked_value(event: Event) -> bytes:
    """The event on the wire, after it passed its type's constraints and its JSON Schema.

    Raises:
        InvalidEventError: it didn't.
    """
    value = msgspec.json.encode(event)
    try:
        check(value, type(event))
    except NotTheEventError as error:
        raise InvalidEventError(f"{type(event).__name__} {event.event_id} is not sent: {error}") from error
    return value


class Publisher:
    """Sends records and tells `receive` what became of each, from the client's own thread.

    A context manager: leaving it waits until everything is acknowledged.
    """

    def __init__(self, bootstrap_servers: str, receive: Callable[[Outgoing, Receipt], None]) -> None:
        self._bootstrap_servers, self._receive = bootstrap_servers, receive
        self._producer = self._connect(enable_idempotence=True, linger_ms=5, batch_size=128 * 1024)
        self._doubtful_producer: KafkaProducer | None = None
        self._in_flight: dict[int, tuple[Outgoing, int]] = {}
        self._done = Condition()
        self._failure: PublishError | None = None
        self.sent = self.acknowledged = self.refused = self.failed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()

    def publish_event(self, outgoing: Outgoing) -> None:
        """Check an event and send it.

        Raises:
            InvalidEventError: it didn't pass the check.
            PublishError: the broker is gone, or refused an earlier record for a reason that we don't expect.
        """
        if outgoing.event is None:
            raise InvalidEventError(f"a {outgoing.kind} record is no event: it needs publish_poison")
        self._send(outgoing, checked_value(outgoing.event))

    def publish_poison(self, outgoing: Outgoing) -> None:
        """Send bytes on purpose that are no event. An empty value is sent as zero bytes, not as a tombstone."""
        if outgoing.event is not None:
            raise InvalidEventError("an event is no poison: it needs publish_event")
        self._send(outgoing, outgoing.poison)

    def flush(self, timeout_seconds: float = DELIVERY_TIMEOUT_MS / 1000) -> None:
        """Wait until everything that was sent is acknowledged or refused.

        Raises:
            PublishError: something failed, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        for producer in filter(None, (self._producer, self._doubtful_producer)):
            try:
                producer.flush(timeout=max(0.0, deadline - time.monotonic()))
            except KafkaTimeoutError as error:
                raise PublishError(
                    f"{len(self._in_flight)} of {self.sent} records were not acknowledged by the Kafka broker at"
                    f" {self._bootstrap_servers} within {timeout_seconds:.0f} s"
                ) from error
        self._raise_failure()

    def close(self) -> None:
        """Let go of the connections; a record that isn't acknowledged by now counts as failed."""
        for producer in filter(None, (self._producer, self._doubtful_producer)):
            with suppress(KafkaTimeoutError):  # it has unacknowledged records: they get their receipts below
                producer.close(timeout=CLOSE_TIMEOUT_SECONDS)
        for number in list(self._in_flight):
            self._finish(number, failure="not acknowledged when the service ended")

    def _send(self, outgoing: Outgoing, value: bytes) -> None:
        self._raise_failure()
        self._wait_for_room()
        sent_at_ms = time.time_ns() // 1_000_000
        producer = self._producer_for(outgoing.timestamp_ms, sent_at_ms)
        try:
            future = producer.send(
                outgoing.topic.name, value=value, key=outgoing.key, timestamp_ms=outgoing.timestamp_ms
            )
        except KafkaTimeoutError as error:
            raise PublishError(
                f"the Kafka broker at {self._bootstrap_servers} knows no topic {outgoing.topic.name}, or is gone:"
                " `python -m ops topics apply` creates the topics"
            ) from error
        self.sent += 1
        self._in_flight[self.sent] = outgoing, sent_at_ms
        future.add_callback(partial(self._acknowledged, self.sent))
        future.add_errback(partial(self._not_acknowledged, self.sent, producer))

    def _connect(self, **options: Any) -> KafkaProducer:
        try:
            return KafkaProducer(
                bootstrap_servers=self._bootstrap_servers.split(","),
                acks="all",
                compression_type="lz4",
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                request_timeout_ms=BROKER_TIMEOUT_MS,
                bootstrap_timeout_ms=BROKER_TIMEOUT_MS,
                max_block_ms=BROKER_TIMEOUT_MS,
                allow_auto_create_topics=False,
                metrics_enabled=False,
                **options,
            )
        except KafkaTimeoutError as error:
            raise PublishError(
                f"no Kafka broker answers at {self._bootstrap_servers} (MILLRACE_KAFKA_BOOTSTRAP_SERVERS):"
                " `make up` starts the local stack"
            ) from error

    def _producer_for(self, timestamp_ms: int, now_ms: int) -> KafkaProducer:
        """Records that the broker is going to refuse go by themselves.

        A refusal takes the whole batch with it and ends an idempotent producer, so these are sent one a batch and by
        a producer that isn't idempotent.
        """
        limit_ms = now_ms + FUTURE_LIMIT.total_seconds() * 1000 - DOUBTFUL_MARGIN_MS
        if timestamp_ms < limit_ms:
            return self._producer
        if self._doubtful_producer is None:
            self._doubtful_producer = self._connect(enable_idempotence=False, batch_size=0)
        return self._doubtful_producer

    def _acknowledged(self, number: int, metadata: RecordMetadata) -> None:
        self._finish(number, partition=metadata.partition, offset=metadata.offset)

    def _not_acknowledged(self, number: int, producer: KafkaProducer, error: KafkaError) -> None:
        if producer is self._doubtful_producer and not error.retriable:
            self._finish(number, refusal=str(error))
        else:
            self._finish(number, failure=str(error))

    def _finish(self, number: int, **outcome: Any) -> None:
        outgoing, sent_at_ms = self._in_flight.pop(number, (None, 0))
        if outgoing is None:
            return  # it was given up before
        receipt, failure = Receipt(sent_at_ms, **outcome), None
        if receipt.failure:
            failure = PublishError(f"records fail at the Kafka broker at {self._bootstrap_servers}: {receipt.failure}")
        try:
            self._receive(outgoing, receipt)
        except OSError as error:
            failure = PublishError(f"what became of the records can't be written down: {error}")
        with self._done:
            self._failure = self._failure or failure
            self.refused += receipt.refusal is not None
            self.failed += receipt.failure is not None
            self.acknowledged += receipt.offset is not None
            self._done.notify()

    def _wait_for_room(self) -> None:
        if len(self._in_flight) < MOST_IN_FLIGHT:
            return
        with self._done:
            room = self._done.wait_for(
                lambda: len(self._in_flight) < MOST_IN_FLIGHT or self._failure, timeout=DELIVERY_TIMEOUT_MS / 1000
            )
        if not room:
            raise PublishError(f"the Kafka broker at {self._bootstrap_servers} has stopped answering")
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
