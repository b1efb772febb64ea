"""Writes records to Kafka: checked, acknowledged by all replicas, once each, with a receipt.

During an outage of the broker, records wait in memory up to a limit; beyond it, sending waits too.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Condition
from types import TracebackType
from typing import Any, Self

import msgspec
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata, RecordMetadata

from connectors.kafka.client import CONNECT_MS, client_options
from connectors.kafka.topics import FUTURE_LIMIT
from connectors.outage import OUTAGE_SECONDS, Outage, Report
from events import Event
from events.checks import NotTheEventError, check
from local.simulator.outgoing import Outgoing

CLOSE_TIMEOUT_SECONDS = 1
BROKER_TIMEOUT_MS = 10_000
STOP_SECONDS = 30.0
"""Maximum time between a stop and the acknowledgement of records under way."""
SLICE_SECONDS = 0.1
MOST_IN_FLIGHT = 20_000
"""Maximum number of records that wait for acknowledgement; at this number, sending waits too."""
DOUBTFUL_MARGIN_MS = 2_000


class PublishError(RuntimeError):
    """Records did not reach Kafka; the text says why, and what to do."""


class InvalidEventError(ValueError):
    """An event violates its type or its schema: an error in the program that made it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Outcome of sending a record."""

    sent_at_ms: int
    """Time when it was passed to the client, by the wall clock."""
    partition: int | None = None
    offset: int | None = None
    refusal: str | None = None
    """Why the broker rejected it."""
    failure: str | None = None
    """Why it is unknown whether the broker took it."""


def checked_value(event: Event) -> bytes:
    """Return the encoded event, after checking it against its type's constraints and its JSON Schema.

    Raises:
        InvalidEventError: it violates one of them.
    """
    value = msgspec.json.encode(event)
    try:
        check(value, type(event))
    except NotTheEventError as error:
        raise InvalidEventError(f"{type(event).__name__} {event.event_id} is not sent: {error}") from error
    return value


class Publisher:
    """Sends records, and passes the receipt of each to `receive`, from the client's own thread.

    A context manager: leaving it waits until everything is acknowledged.

    Args:
        outage_seconds: time without an acknowledgement after which a record counts as failed.
        report: gets a line each second while there is no broker to connect to.
        stop: when it is set, records that are under way have `STOP_SECONDS` left.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        receive: Callable[[Outgoing, Receipt], None],
        *,
        outage_seconds: float = OUTAGE_SECONDS,
        report: Report = lambda _: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._bootstrap_servers, self._receive, self._report = bootstrap_servers, receive, report
        self._outage_seconds, self._stop = outage_seconds, stop or threading.Event()
        self._stopped_at: float | None = None
        self._in_flight: dict[int, tuple[Outgoing, int]] = {}
        self._waits_since = time.monotonic()
        self._done = Condition()
        self._failure: PublishError | None = None
        self.on_wait: Callable[[], None] = lambda: None
        """Called several times a second while something waits for Kafka."""
        self.sent = self.acknowledged = self.refused = self.failed = 0
        self._doubtful_producer: KafkaProducer | None = None
        self._producer = self._connect(enable_idempotence=True, linger_ms=5, batch_size=128 * 1024)

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
            InvalidEventError: it is invalid.
            PublishError: the broker is unavailable, or refused an earlier record for an unexpected reason.
        """
        if outgoing.event is None:
            raise InvalidEventError(f"a {outgoing.kind} record is no event: it needs publish_bad_record")
        self._send(outgoing, checked_value(outgoing.event))

    def publish_bad_record(self, outgoing: Outgoing) -> None:
        """Send the bytes of a deliberately bad record. An empty value is sent as zero bytes, not as a tombstone."""
        if outgoing.event is not None:
            raise InvalidEventError("an event is no bad record: it needs publish_event")
        self._send(outgoing, outgoing.bad_value)

    @property
    def waiting(self) -> int:
        """Number of records that were sent and are neither acknowledged nor refused."""
        return len(self._in_flight)

    @property
    def silent_seconds(self) -> float:
        """Time since Kafka's last answer, while records wait for one."""
        return time.monotonic() - self._waits_since if self._in_flight else 0.0

    def flush(self) -> None:
        """Wait until everything that was sent is acknowledged or refused.

        Raises:
            PublishError: something failed, or it takes too long.
        """
        self._wait_until(lambda: not self._in_flight)
        self._raise_failure()

    def close(self) -> None:
        """Close the connections; a record that isn't acknowledged by now counts as failed."""
        for producer in filter(None, (self._producer, self._doubtful_producer)):
            with suppress(KafkaTimeoutError):  # it has unacknowledged records, whose receipts follow below
                producer.close(timeout=CLOSE_TIMEOUT_SECONDS)
        for number in list(self._in_flight):
            self._finish(number, failure="not acknowledged when the service ended")

    def _send(self, outgoing: Outgoing, value: bytes) -> None:
        self._raise_failure()
        self._wait_until(lambda: len(self._in_flight) < MOST_IN_FLIGHT)
        sent_at_ms = time.time_ns() // 1_000_000
        producer = self._producer_for(outgoing.timestamp_ms, sent_at_ms)
        future = self._pass_to_client(producer, outgoing, value)
        if not self._in_flight:
            self._waits_since = time.monotonic()
        self.sent += 1
        self._in_flight[self.sent] = outgoing, sent_at_ms
        future.add_callback(partial(self._acknowledged, self.sent))
        future.add_errback(partial(self._not_acknowledged, self.sent, producer))

    def _pass_to_client(self, producer: KafkaProducer, outgoing: Outgoing, value: bytes) -> FutureRecordMetadata:
        """Pass a record to the client, which first asks Kafka for the topic's partitions if it doesn't know them."""
        began = time.monotonic()
        while True:
            try:
                return producer.send(
                    outgoing.topic.name, value=value, key=outgoing.key, timestamp_ms=outgoing.timestamp_ms
                )
            except KafkaTimeoutError as error:
                self._require_topic(outgoing.topic.name)
                self._give_up_if_over(began, self._outage_seconds, error)
                self.on_wait()

    def _require_topic(self, name: str) -> None:
        """Check that the topic exists, if Kafka answers."""
        try:
            consumer = KafkaConsumer(
                **client_options(self._bootstrap_servers), bootstrap_timeout_ms=CONNECT_MS, metrics_enabled=False
            )
            try:
                is_there = name in consumer.topics()
            finally:
                consumer.close()
        except KafkaError:
            return
        if not is_there:
            raise PublishError(
                f"the Kafka broker at {self._bootstrap_servers} knows no topic {name}:"
                " `python -m ops topics apply` creates the topics"
            )

    def _connect(self, **options: Any) -> KafkaProducer:
        began = time.monotonic()
        outage: Outage | None = None
        while True:
            try:
                producer = KafkaProducer(
                    **client_options(self._bootstrap_servers),
                    acks="all",
                    compression_type="lz4",
                    delivery_timeout_ms=round(self._outage_seconds * 1000),
                    request_timeout_ms=BROKER_TIMEOUT_MS,
                    bootstrap_timeout_ms=CONNECT_MS,
                    max_block_ms=BROKER_TIMEOUT_MS,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                    **options,
                )
            except KafkaTimeoutError as error:
                outage = outage or Outage(f"the Kafka broker at {self._bootstrap_servers}", self._report)
                self._give_up_if_over(began, self._outage_seconds, error)
                outage.report()
                self.on_wait()
            else:
                if outage:
                    outage.over()
                return producer

    def _producer_for(self, timestamp_ms: int, now_ms: int) -> KafkaProducer:
        """Return the producer for a record: records that the broker will refuse get a separate one.

        A refusal affects the whole batch and ends an idempotent producer, so these are sent one per batch and by a
        producer that isn't idempotent.
        """
        limit_ms = now_ms + FUTURE_LIMIT.total_seconds() * 1000 - DOUBTFUL_MARGIN_MS
        if timestamp_ms < limit_ms:
            return self._producer
        if self._doubtful_producer is None:
            self._doubtful_producer = self._connect(
                enable_idempotence=False,
                max_in_flight_requests_per_connection=1,  # otherwise a retry would change their order
                batch_size=0,
            )
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
            return  # its receipt was passed on when it counted as failed
        receipt, failure = Receipt(sent_at_ms, **outcome), None
        if receipt.failure:
            failure = PublishError(f"records fail at the Kafka broker at {self._bootstrap_servers}: {receipt.failure}")
        try:
            self._receive(outgoing, receipt)
        except OSError as error:
            failure = PublishError(f"the outcome of the records can't be written to the ledger: {error}")
        with self._done:
            self._failure = self._failure or failure
            self.refused += receipt.refusal is not None
            self.failed += receipt.failure is not None
            self.acknowledged += receipt.offset is not None
            if not receipt.failure:
                self._waits_since = time.monotonic()
            self._done.notify()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition during an outage of Kafka.

        Raises:
            PublishError: a record failed, or it takes too long.
        """
        began = time.monotonic()
        while not condition():
            self._raise_failure()
            self._give_up_if_over(began, self._outage_seconds)
            self.on_wait()
            with self._done:
                self._done.wait_for(lambda: condition() or self._failure is not None, timeout=SLICE_SECONDS)

    def _give_up_if_over(self, began: float, within_seconds: float, error: KafkaError | None = None) -> None:
        now = time.monotonic()
        if self._stop.is_set() and self._stopped_at is None:
            self._stopped_at = now
        stop_seconds = STOP_SECONDS if self._in_flight else 0.0
        if now - began < within_seconds and (self._stopped_at is None or now - self._stopped_at < stop_seconds):
            return
        unknown = f"; {len(self._in_flight):,} of {self.sent:,} records are not acknowledged" if self._in_flight else ""
        raise PublishError(
            f"no Kafka broker answers at {self._bootstrap_servers} (MILLRACE_KAFKA_BOOTSTRAP_SERVERS)"
            f" within {now - began:.0f} s{unknown}: `make up` starts the local stack"
        ) from error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
