"""Topics have their records a second over half a minute, and the latest alerts are read once each."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kafka import TopicPartition

from connectors.settings import Settings
from ops.page import live_topics
from ops.page.live_topics import READ_ALERTS, SHOWN_ALERTS, LiveTopics, rates
from tests.builders.events import fraud_alert
from tests.builders.health import NOW_MS, offsets

ALERTS, PAYMENTS = TopicPartition("fraud-alerts", 0), TopicPartition("payments", 0)


class Brokers:
    """Brokers in memory, asked through the part of kafka-python's consumer that live topics use."""

    def __init__(self, payments: int = 0) -> None:
        self.payments = payments
        self.alerts: list[bytes] = []
        self.position_of_alerts = 0
        self.read: list[int] = []
        """Offsets of alerts that were read, in order."""
        self.connections = 0
        self.fault: Exception | None = None

    def connected(self, _: Settings) -> "Brokers":
        self.connections += 1
        return self

    def end_offsets(self, partitions: Iterable[TopicPartition], _timeout_ms: int) -> Mapping[TopicPartition, int]:
        if self.fault:
            raise self.fault
        assert list(partitions) == [ALERTS, PAYMENTS]
        return {ALERTS: len(self.alerts), PAYMENTS: self.payments}

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [ALERTS]

    def beginning_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.position_of_alerts = offset

    def position(self, _: TopicPartition) -> int:
        return self.position_of_alerts

    def poll(self, **_: Any) -> Mapping[TopicPartition, list[SimpleNamespace]]:
        unread = range(self.position_of_alerts, len(self.alerts))
        self.read += unread
        self.position_of_alerts = len(self.alerts)
        return {ALERTS: [SimpleNamespace(value=self.alerts[offset]) for offset in unread]}

    def close(self) -> None:
        """Close nothing."""


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    """Brokers that the live topics ask."""
    made = Brokers()
    monkeypatch.setattr(live_topics, "committed_reader", made.connected)
    return made


def alert(number: int) -> bytes:
    """Return an alert of a second after noon."""
    return msgspec.json.encode(fraud_alert(f"alert-{number}", event_time=NOW_MS + number * 1000))


def test_rate_is_that_of_all_partitions_between_two_moments() -> None:
    assert rates(10, offsets("payments", 100, 50), 20, offsets("payments", 200, 150)) == {"payments": 20}


def test_topic_that_was_made_anew_has_no_rate_below_zero_and_a_new_partition_none_yet() -> None:
    assert rates(10, offsets("payments", 100), 20, offsets("payments", 10, 500)) == {"payments": 0}
    assert rates(10, {}, 20, offsets("payments", 10)) == {}
    assert rates(10, {}, 10, {}) == {}


def test_rate_is_averaged_over_half_a_minute(brokers: Brokers) -> None:
    topics = LiveTopics(Settings())
    found = []
    for second in range(0, 65, 5):
        brokers.payments = 50 * second if second <= 30 else 1_500
        found.append(topics.look(second, {PAYMENTS, ALERTS}).rates.get("payments"))

    assert found[0] is None
    assert found[1:7] == [50] * 6
    assert found[9] == 25
    assert found[12] == 0


def test_latest_alerts_are_read_once_each_the_latest_first(brokers: Brokers) -> None:
    topics = LiveTopics(Settings())
    brokers.alerts = [alert(1), b"no alert", alert(3), alert(2)]

    first = [each.event_id for each in topics.look(0, {PAYMENTS, ALERTS}).alerts]
    brokers.alerts.append(alert(4))
    then = [each.event_id for each in topics.look(5, {PAYMENTS, ALERTS}).alerts]

    assert first == ["alert-3", "alert-2", "alert-1"]
    assert then == ["alert-4", *first]
    assert brokers.read == [0, 1, 2, 3, 4]


def test_only_the_end_of_the_topic_of_alerts_is_read_and_only_some_are_shown(brokers: Brokers) -> None:
    brokers.alerts = [alert(number) for number in range(READ_ALERTS + 30)]

    found = LiveTopics(Settings()).look(0, {PAYMENTS, ALERTS}).alerts

    assert brokers.read[0] == 30
    assert [each.event_id for each in found] == [f"alert-{READ_ALERTS + 29 - place}" for place in range(SHOWN_ALERTS)]


def test_alert_that_is_written_again_is_shown_once(brokers: Brokers) -> None:
    brokers.alerts = [alert(1), alert(1)]

    assert len(LiveTopics(Settings()).look(0, {PAYMENTS, ALERTS}).alerts) == 1


def test_after_an_outage_it_connects_again_and_keeps_its_alerts(brokers: Brokers) -> None:
    topics = LiveTopics(Settings())
    brokers.alerts = [alert(1)]
    topics.look(0, {PAYMENTS, ALERTS})

    brokers.fault = ConnectionError("no broker answers")
    with pytest.raises(ConnectionError):
        topics.look(5, {PAYMENTS, ALERTS})
    brokers.fault = None
    brokers.alerts.append(alert(2))
    found = topics.look(10, {PAYMENTS, ALERTS}).alerts

    assert brokers.connections == 2
    assert [each.event_id for each in found] == ["alert-2", "alert-1"]
