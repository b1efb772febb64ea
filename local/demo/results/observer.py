"""Observes the topics from outside: counts, alerts, enriched orders, dead letters, and the latency of alerts."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka import topics
from connectors.kafka.client import client_options, poll
from connectors.settings import Settings
from events import CategoryRevenue, DeadLetter, EnrichedOrder, FraudAlert, Notification, Payment
from jobs.flow import CHANGES, FRAUD_DETECTION, NOTIFICATIONS, REVENUE

_REMEMBERED = 100_000
"""Maximum number of payments whose arrival is remembered, to measure the latency of their alerts."""
_LIVE_MS = 30_000
"""Maximum age of a payment that counts for latency, when it is seen: a backlog doesn't show the job's speed."""

FIRST_ROWS_WITHIN_SECONDS = 60.0

Noteworthy = FraudAlert | EnrichedOrder

_WATCHED = (
    topics.ORDERS,
    topics.PAYMENTS,
    topics.CUSTOMER_CHANGES,
    topics.PRODUCT_CHANGES,
    topics.CAPTURE_HEARTBEATS,
    topics.ENRICHED_ORDERS,
    topics.REVENUE,
    topics.NOTIFICATIONS,
    topics.FRAUD_ALERTS,
    topics.SHADOW_HITS,
    topics.LATE_PAYMENTS,
    topics.DEAD_LETTERS,
)


class Written(NamedTuple):
    """Key of something that a program may write again after a restart: its topic promises at-least-once."""

    program: str
    topic: str
    identity: str
    """Id of an event, with the revision if there are several, or coordinates of a rejected record."""


@dataclass
class Observed:
    """What has been seen so far. Of duplicates, the first record counts."""

    records: dict[str, int] = field(default_factory=lambda: {topic.name: 0 for topic in _WATCHED})
    """Number of records by topic."""
    offsets: dict[TopicPartition, list[int]] = field(default_factory=dict)
    """Offsets of the records, ascending; others, such as that of a transaction's end, are missing."""
    shop_rows_at_first: int = 0
    """Number of the shop's rows that were captured before observation started."""
    captured_until: int = 0
    """Time of the last captured heartbeat in UTC milliseconds; every earlier change of the shop is in its topic."""
    alerts: list[FraudAlert] = field(default_factory=list)
    enriched: list[EnrichedOrder] = field(default_factory=list)
    """All revisions of all orders."""
    revenue: list[CategoryRevenue] = field(default_factory=list)
    """All revisions of all minutes."""
    notifications: list[Notification] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    seen_at_ms: dict[Written, list[float]] = field(default_factory=dict)
    """UTC milliseconds at which each record of alerts, revenue, notifications and dead letters was seen, duplicates
    included."""
    latencies_ms: list[float] = field(default_factory=list)
    """Time from seeing a payment to seeing the alert that it caused, both by the same consumer."""

    def dead_letters_of(self, job: str) -> list[DeadLetter]:
        """Return the dead letters that one job wrote: each job that reads a topic has its own."""
        return [letter for letter in self.dead_letters if letter.rejected_by == job]

    def duplicates(self, topic: str) -> int:
        """Return the number of duplicates in an at-least-once topic."""
        return sum(len(times) - 1 for written, times in self.seen_at_ms.items() if written.topic == topic)

    @property
    def shop_changes(self) -> int:
        """Number of changes of the shop's rows since observation started."""
        return sum(self.records[topic.name] for topic in CHANGES) - self.shop_rows_at_first

    def latency_ms(self, share: float) -> float | None:
        """Return a percentile of the latencies (0.99: p99), in milliseconds; None without any."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Observer:
    """Reads the topics from their beginning, without a consumer group, so that it affects no other consumer.

    Records that are in the topics of the shop's changes at its creation are the rows that existed at first.
    """

    def __init__(self, settings: Settings) -> None:
        self.observed = Observed()
        self._arrivals: dict[str, float] = {}
        self._order_of_arrival: deque[str] = deque()
        self._consumer = KafkaConsumer(
            **client_options(settings.kafka_bootstrap_servers),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=2000,
        )
        self._partitions = [
            TopicPartition(topic.name, number) for topic in _WATCHED for number in range(topic.partitions)
        ]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        self.look_to_the_end(FIRST_ROWS_WITHIN_SECONDS)
        self.observed.shop_rows_at_first = self.observed.shop_changes

    def look(self, seconds: float) -> list[Noteworthy]:
        """Read records for at most `seconds`; return the alerts and enriched orders among them."""
        found = []
        for records in poll(self._consumer, round(seconds * 1000)).values():
            now = time.time() * 1000
            for record in records:
                found.append(self._take(record, now))
        return [event for event in found if event is not None]

    def look_to_the_end(self, deadline_seconds: float) -> None:
        """Read all records that are in the topics now.

        Raises:
            TimeoutError: not done within the deadline.
        """
        deadline = time.monotonic() + deadline_seconds
        ends = self.ends()
        while not self.has_read(ends):
            self.look(0.2)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the topics were not read to their ends within {deadline_seconds:.0f} s")

    def ends(self) -> Mapping[TopicPartition, int]:
        """Return the current end offsets of the topics.

        Raises:
            KafkaError: no broker answers.
        """
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._partitions)
        return ends

    def has_read(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Return whether all records before these offsets are read."""
        return all(self._consumer.position(partition) >= end for partition, end in ends.items())

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def _take(self, record: ConsumerRecord, now: float) -> Noteworthy | None:
        self.observed.records[record.topic] += 1
        partition = TopicPartition(record.topic, record.partition)
        self.observed.offsets.setdefault(partition, []).append(record.offset)
        match record.topic:
            case topics.PAYMENTS.name:
                self._payment(record, now)
            case topics.FRAUD_ALERTS.name:
                alert = msgspec.json.decode(record.value, type=FraudAlert)
                return (
                    self._alert(alert, now) if self._is_new(FRAUD_DETECTION.name, record, alert.event_id, now) else None
                )
            case topics.CAPTURE_HEARTBEATS.name:
                self.observed.captured_until = max(self.observed.captured_until, record.timestamp)
            case topics.ENRICHED_ORDERS.name:
                self.observed.enriched.append(msgspec.json.decode(record.value, type=EnrichedOrder))
                return self.observed.enriched[-1]
            case topics.REVENUE.name:
                minute = msgspec.json.decode(record.value, type=CategoryRevenue)
                if self._is_new(REVENUE.name, record, f"{minute.event_id}-{minute.revision}", now):
                    self.observed.revenue.append(minute)
            case topics.NOTIFICATIONS.name:
                notification = msgspec.json.decode(record.value, type=Notification)
                if self._is_new(NOTIFICATIONS.name, record, notification.event_id, now):
                    self.observed.notifications.append(notification)
            case topics.DEAD_LETTERS.name:
                letter = msgspec.json.decode(record.value, type=DeadLetter)
                rejected = f"{letter.source_topic}-{letter.source_partition}-{letter.source_offset}"
                if self._is_new(letter.rejected_by, record, rejected, now):
                    self.observed.dead_letters.append(letter)
        return None

    def _is_new(self, program: str, record: ConsumerRecord, identity: str, now: float) -> bool:
        times = self.observed.seen_at_ms.setdefault(Written(program, record.topic, identity), [])
        times.append(now)
        return len(times) == 1

    def _payment(self, record: ConsumerRecord, now: float) -> None:
        if now - record.timestamp > _LIVE_MS:
            return
        try:
            payment = msgspec.json.decode(record.value, type=Payment)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # the job reports what is wrong with it
        self._arrivals.setdefault(payment.payment_id, now)
        self._order_of_arrival.append(payment.payment_id)
        if len(self._order_of_arrival) > _REMEMBERED:
            self._arrivals.pop(self._order_of_arrival.popleft(), None)

    def _alert(self, alert: FraudAlert, now: float) -> FraudAlert:
        self.observed.alerts.append(alert)
        arrived = self._arrivals.get(alert.payment_id)
        if arrived is not None and alert.event_type != "fraud_alert.closed":
            self.observed.latencies_ms.append(now - arrived)
        return alert
