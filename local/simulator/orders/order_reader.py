"""Reads orders for the payment service from their topic, with its own consumer group."""

import time
from collections.abc import Iterator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from threading import Event

import msgspec
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError, KafkaTimeoutError

from connectors.kafka.client import CONNECT_MS, client_options, poll
from connectors.kafka.topics import ORDERS, PAYMENTS
from connectors.outage import Report, await_server
from events import Order, Payment
from local.simulator.faults import key_of
from local.simulator.orders.orders import payments_of
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.publisher import PublishError
from local.simulator.world.population import Population

SECONDS_BETWEEN_POLLS = 0.05
SECONDS_BETWEEN_COMMITS = 5.0
COMMIT_TIMEOUT_MS = 2_000
MOST_WAITING = 50_000
"""Maximum number of payments that wait for their time; at this number, no further orders are read."""


class OrderReader:
    """Reads orders and yields the payments that are due, at least once: an order is read again after a crash.

    Payments then have the same ids. A payment whose time passed while the service did not run is made now.

    Args:
        report: gets a line each second while no broker answers at the start.
        stop: when it is set, the reader no longer waits for a broker.

    Raises:
        PublishError: no broker answers in time.
    """

    def __init__(self, bootstrap_servers: str, group: str, population: Population, report: Report, stop: Event) -> None:
        self._population = population
        self._consumer = _consumer(bootstrap_servers, group, report, stop)
        self._waiting: list[tuple[int, int, Payment, ConsumerRecord]] = []
        self._unfinished: dict[TopicPartition, dict[int, int]] = {}
        self._sequence = count()
        self._next_poll = self._next_commit = 0.0
        self.unusable = 0
        """Number of records in the orders topic that are no valid orders of this population."""

    def due(self, by_ms: int) -> Iterator[Outgoing]:
        """Yield the payments that are due by then."""
        now_ms = time.time_ns() // 1_000_000
        if time.monotonic() >= self._next_poll and len(self._waiting) < MOST_WAITING:
            self._next_poll = time.monotonic() + SECONDS_BETWEEN_POLLS
            for records in poll(self._consumer, timeout_ms=0).values():
                for record in records:
                    self._take(record, now_ms)
        while self._waiting and self._waiting[0][0] <= by_ms:
            _, _, payment, record = heappop(self._waiting)
            self._finished(record)
            yield Outgoing(PAYMENTS, key_of(payment, PAYMENTS), payment.event_time, payment.event_time, GOOD, payment)

    def wants_to_commit(self) -> bool:
        """Return whether it is time to commit; everything that `due` yielded must be acknowledged before."""
        return time.monotonic() >= self._next_commit

    def commit(self) -> None:
        """Commit the offsets up to which all payments were made; if Kafka is unavailable, leave it to the next call."""
        self._next_commit = time.monotonic() + SECONDS_BETWEEN_COMMITS
        try:
            settled = {each: self._settled(each) for each in self._consumer.assignment()}
            offsets = {each: OffsetAndMetadata(at, "", -1) for each, at in settled.items() if at is not None}
            if offsets:
                self._consumer.commit(offsets, timeout_ms=COMMIT_TIMEOUT_MS)
        except CommitFailedError:
            self._next_commit = 0.0  # the group is being rebalanced, which the next poll completes
        except KafkaError:
            return

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False)

    def _take(self, record: ConsumerRecord, now_ms: int) -> None:
        payments = self._payments(record)
        for payment in payments:
            made_ms = max(payment.event_time, now_ms)
            made = msgspec.structs.replace(payment, event_time=made_ms)
            heappush(self._waiting, (made_ms, next(self._sequence), made, record))
        if payments:
            unfinished = self._unfinished.setdefault(TopicPartition(record.topic, record.partition), {})
            unfinished[record.offset] = len(payments)

    def _payments(self, record: ConsumerRecord) -> list[Payment]:
        try:
            order = _ORDERS.decode(record.value or b"")
            return payments_of(order, self._population.card_of(order.customer_id))
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
            self.unusable += 1
            return []

    def _finished(self, record: ConsumerRecord) -> None:
        unfinished = self._unfinished[TopicPartition(record.topic, record.partition)]
        unfinished[record.offset] -= 1
        if not unfinished[record.offset]:
            del unfinished[record.offset]

    def _settled(self, partition: TopicPartition) -> int | None:
        """Return the first offset that isn't settled; None while that is unknown."""
        unfinished = self._unfinished.get(partition)
        return min(unfinished) if unfinished else self._consumer.position(partition, timeout_ms=COMMIT_TIMEOUT_MS)


_ORDERS = msgspec.json.Decoder(Order)


def _consumer(bootstrap_servers: str, group: str, report: Report, stop: Event) -> KafkaConsumer:
    connect = partial(
        KafkaConsumer,
        ORDERS.name,
        **client_options(bootstrap_servers),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        bootstrap_timeout_ms=CONNECT_MS,
    )
    try:
        return await_server(f"the Kafka broker at {bootstrap_servers}", connect, KafkaTimeoutError, report, stop)
    except KafkaTimeoutError as error:
        raise PublishError(
            f"no Kafka broker answers at {bootstrap_servers}: `make up` starts the local stack"
        ) from error
