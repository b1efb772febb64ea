"""Reads the alerts of a run as they are emitted, and compares them with the expected ones."""

import time
from collections.abc import Mapping
from math import isclose

import msgspec
from kafka import KafkaConsumer, TopicPartition
from msgspec.structs import replace

from connectors.kafka.topics import FRAUD_ALERTS
from events import FraudAlert
from local.stack.supervisor import Stack
from tests.bench.contenders.kinds import ContenderError


class Alerts:
    """Alerts that are emitted from now on, with the times at which the broker appended them."""

    def __init__(self, stack: Stack) -> None:
        self.times: list[float] = []
        """Seconds since 1970 of each alert that opens or escalates a case; of duplicates, the first one's."""
        self.appended: dict[str, float] = {}
        """Times of the alerts, by id."""
        self.repeated = 0
        """Number of duplicates."""
        self._found: dict[str, FraudAlert] = {}
        self._consumer = KafkaConsumer(
            bootstrap_servers=stack.setup.settings.kafka_bootstrap_servers.split(","), enable_auto_commit=False
        )
        self._consumer.assign([TopicPartition(FRAUD_ALERTS.name, number) for number in range(FRAUD_ALERTS.partitions)])
        self._consumer.seek_to_end()
        for each in self._consumer.assignment():
            self._consumer.position(each)

    def __enter__(self) -> "Alerts":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def look(self, seconds: float) -> None:
        """Read the alerts that arrive within some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for records in self._consumer.poll(timeout_ms=round(left * 1000)).values():
                for record in records:
                    self._take(record.value, record.timestamp / 1000)

    def _take(self, value: bytes, appended: float) -> None:
        if not value.startswith(b"{"):
            self.times.append(appended)
            return
        alert = msgspec.json.decode(value, type=FraudAlert)
        if alert.event_type == "fraud_alert.closed":
            return
        if alert.event_id in self._found:
            self.repeated += 1
            return
        self._found[alert.event_id] = alert
        self.appended[alert.event_id] = appended
        self.times.append(appended)

    def complete(self, expected: Mapping[str, FraudAlert] | int) -> bool:
        """Return whether as many alerts have arrived as are expected."""
        return len(self.times) >= (expected if isinstance(expected, int) else len(expected))

    def require(self, who: str, expected: Mapping[str, FraudAlert] | int) -> None:
        """Compare the alerts with the expected ones.

        Raises:
            ContenderError: an alert isn't as expected.
        """
        if isinstance(expected, int):
            return
        for alert_id in self._found.keys() | expected.keys():
            found, wanted = self._found.get(alert_id), expected.get(alert_id)
            if not _same(found, wanted):
                raise ContenderError(f"{who} doesn't say what it must:\n{found}\ninstead of\n{wanted}")


def _same(one: FraudAlert | None, other: FraudAlert | None) -> bool:
    """Return whether two alerts are equal; distances and means may differ by rounding."""
    if one is None or other is None or one.features.keys() != other.features.keys():
        return False
    pairs = [(value, other.features[name]) for name, value in one.features.items()]
    close = all(
        isclose(a, b, abs_tol=1e-6) if isinstance(a, float) and isinstance(b, float | int) else a == b for a, b in pairs
    )
    return close and replace(one, features={}) == replace(other, features={})
