"""What topics show within seconds: records a second of each, and the latest alerts. One consumer stays open for it."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from kafka import TopicPartition

from connectors.kafka.reading import TopicReader
from connectors.kafka.topics import FRAUD_ALERTS
from connectors.settings import Settings
from events import FraudAlert
from ops.health.answers.brokers import READ_SECONDS, REQUEST_MS, Offsets, committed_reader, report_nothing

WINDOW_SECONDS = 30.0
"""Time over which rates are averaged: what is written in transactions comes all at once, every ten seconds."""
SHOWN_ALERTS = 20
READ_ALERTS = 200
"""Number of offsets at the end of a partition of alerts that are read at first: transactions take up some."""


@dataclass(frozen=True)
class Live:
    """What topics show now."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Records a second by topic; a topic that has just been found has none yet."""
    alerts: Sequence[FraudAlert] = ()
    """Alerts with the latest event times, the latest first."""


class LiveTopics:
    """Watches the ends of all topics, and reads new alerts."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._consumer: Any = None
        self._alerts_reader: TopicReader | None = None
        self._alerts_partitions: list[TopicPartition] = []
        self._ends: deque[tuple[float, Offsets]] = deque()
        self._alerts: dict[str, FraudAlert] = {}

    def look(self, now: float, partitions: Collection[TopicPartition]) -> Live:
        """Ask the brokers; after an error the next call connects again.

        Args:
            now: seconds of a clock that never goes back.
            partitions: those that exist; asking for them here could wait for ever, since the client has no timeout for
                that.

        Raises:
            ConnectionError, KafkaError: a broker is unavailable.
        """
        try:
            if self._consumer is None:
                self._consumer = committed_reader(self._settings)
            ends: Offsets = self._consumer.end_offsets(sorted(partitions), REQUEST_MS) if partitions else {}
            self._read_alerts({each: end for each, end in ends.items() if each.topic == FRAUD_ALERTS.name})
        except BaseException:
            self.close()
            raise
        self._ends.append((now, ends))
        while len(self._ends) > 2 and now - self._ends[1][0] >= WINDOW_SECONDS:
            self._ends.popleft()
        latest = sorted(self._alerts.values(), key=lambda alert: (alert.event_time, alert.event_id), reverse=True)
        self._alerts = {alert.event_id: alert for alert in latest[:SHOWN_ALERTS]}
        return Live(rates(*self._ends[0], now, ends), latest[:SHOWN_ALERTS])

    def close(self) -> None:
        """Close the consumer; what was read stays."""
        consumer, self._consumer, self._alerts_reader = self._consumer, None, None
        if consumer is not None:
            consumer.close()

    def _read_alerts(self, ends: Offsets) -> None:
        if not ends:
            return
        if self._alerts_reader is None or self._alerts_partitions != sorted(ends):
            self._alerts_partitions = sorted(ends)
            self._alerts_reader = TopicReader(self._consumer, ends, report_nothing)
            self._alerts_reader.seek({each: end - READ_ALERTS for each, end in ends.items()})
        for records in self._alerts_reader.read_to(ends, READ_SECONDS):
            for record in records:
                try:
                    alert = msgspec.json.decode(record.value or b"", type=FraudAlert)
                except msgspec.MsgspecError:
                    continue
                self._alerts[alert.event_id] = alert


def rates(then: float, ends_then: Offsets, now: float, ends: Offsets) -> dict[str, float]:
    """Return the records a second of each topic between two moments.

    A topic that was made anew in between has none: its offsets are lower than before.
    """
    if now <= then:
        return {}
    numbers: dict[str, int] = {}
    for partition, end in ends.items():
        if partition in ends_then:
            numbers[partition.topic] = numbers.get(partition.topic, 0) + end - ends_then[partition]
    return {topic: max(0, number) / (now - then) for topic, number in numbers.items()}
