"""Kafka's answers become topics, groups and offsets; the first unread record is found behind marks of transactions."""

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaTimeoutError

from connectors.settings import Settings
from ops.health.answers import brokers
from ops.health.answers.brokers import NONE, Brokers, Group, first_timestamps, look, newest_timestamps
from ops.topics.apply import RealTopic
from tests.builders.health import NOW, NOW_MS, offsets
from tests.unit.health.fake_consumer import Consumer

P0, P1 = TopicPartition("orders", 0), TopicPartition("orders", 1)


def test_timestamp_is_that_of_the_first_record_from_the_offset_on() -> None:
    ends = {P0: 10, P1: 10}

    found = first_timestamps(Consumer({P0: [3, 5, 6], P1: [0, 9]}, ends), {P0: 4, P1: 9}, ends)

    assert found == {P0: 5_000, P1: 9_000}


def test_partition_that_ends_in_the_mark_of_a_transaction_has_no_unread_record() -> None:
    ends = {P0: 8, P1: 10}

    found = first_timestamps(Consumer({P0: [5, 6], P1: [9]}, ends), {P0: 7, P1: 2}, ends)

    assert found == {P1: 9_000}


def test_first_record_that_is_wanted_counts() -> None:
    found = first_timestamps(
        Consumer({P0: [3, 5, 6]}, {P0: 7}), {P0: 3}, {P0: 7}, lambda record: record.offset % 2 == 0
    )

    assert found == {P0: 6_000}


def test_only_the_last_records_are_searched_if_none_of_the_first_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "SEARCHED_RECORDS", 3)
    consumer = Consumer({P0: list(range(20))}, {P0: 20}, batch=2)

    found = first_timestamps(consumer, {P0: 0}, {P0: 20}, lambda record: record.offset >= 10)

    assert (found, consumer.read) == ({P0: 17_000}, [0, 1, 17, 18])


def test_consumer_reads_the_same_partitions_again() -> None:
    consumer = Consumer({P0: [3, 5]}, {P0: 6})

    found = [first_timestamps(consumer, {P0: 3}, {P0: 6}) for _ in range(2)]

    assert found == [{P0: 3_000}] * 2


def test_without_partitions_nothing_is_read() -> None:
    assert first_timestamps(Consumer({}, {}), {}, {}) == {}


def test_records_that_do_not_come_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "READ_SECONDS", 0.0)
    consumer = Consumer({P0: []}, {P0: 3})

    with pytest.raises(KafkaTimeoutError, match="orders can't be read"):
        first_timestamps(consumer, {P0: 3}, {P0: 9})


def newest(consumer: Consumer, **listed: int) -> dict[str, int]:
    """Return the newest timestamps of `orders`, of which brokers list an offset for each partition."""
    found = newest_timestamps(
        consumer,
        {TopicPartition("orders", int(name[1:])): SimpleNamespace(offset=each) for name, each in listed.items()},
        consumer.ends,
    )
    return {f"p{each.partition}": timestamp for each, timestamp in found.items()}


def test_newest_timestamp_is_that_of_the_record_which_brokers_list() -> None:
    consumer = Consumer({P0: [3, 5, 6], P1: [0, 9]}, {P0: 7, P1: 10}, times={P0: {3: 9_000}})

    assert newest(consumer, p0=3, p1=9) == {"p0": 9_000, "p1": 9_000}
    assert consumer.read in ([3, 5, 6, 9], [9, 3, 5, 6])


def test_mark_of_a_transaction_and_a_deleted_record_are_not_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "NEWEST_RECORDS", 6)
    consumer = Consumer({P0: [1, 2, 5, 6], P1: [8, 9]}, {P0: 8, P1: 10}, batch=1, times={P0: {1: 99_000, 5: 7_500}})

    assert newest(consumer, p0=7, p1=0) == {"p0": 7_500, "p1": 9_000}


def test_partition_without_a_record_has_no_newest_timestamp() -> None:
    assert newest(Consumer({P0: [], P1: []}, {P0: 0, P1: 4}), p0=NONE, p1=3) == {"p0": NONE, "p1": NONE}


def test_recent_records_of_a_topic_are_those_from_the_first_of_the_last_hour_on() -> None:
    found = Brokers(
        ends=offsets("orders", 100, 50, 70) | offsets("payments", 9),
        recent=offsets("orders", 40, NONE, 69) | offsets("payments", 0),
    )

    assert found.recent_records("orders") == 60 + 0 + 1
    assert found.recent_records("other") == 0


def partition(number: int, leader: int = 1, in_sync: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """Return a partition with two replicas, as an admin client describes it."""
    return {"partition_index": number, "leader_id": leader, "replica_nodes": [1, 2], "isr_nodes": list(in_sync)}


class Admin:
    """An admin client of brokers with one declared topic, a broken one, and groups of two deployments."""

    committed: ClassVar = {
        "millrace.fraud_detection": {P0: 4, TopicPartition("deleted", 0): 1, TopicPartition("broken", 0): 2},
        "millrace.notifier": {P1: 10},
    }

    def describe_topics(self) -> list[dict[str, Any]]:
        topics = {"orders": [partition(0), partition(1, in_sync=(1,))], "broken": [partition(0, leader=-1)]}
        return [{"name": name, "is_internal": False, "partitions": parts} for name, parts in topics.items()]

    def describe_configs(self, _resources: object, config_filter: str) -> dict[str, Any]:
        assert config_filter == "all"
        return {"topic": {name: {"retention.ms": {"value": "1"}} for name in ("orders", "broken")}}

    def list_groups(self) -> list[dict[str, str]]:
        groups = {"millrace.notifier": "Stable", "millrace.fraud_detection": "Empty", "other.notifier": "Stable"}
        return [{"group_id": name, "group_state": state} for name, state in groups.items()]

    def list_group_offsets(self, names: list[str]) -> dict[str, Any]:
        return {
            name: {each: SimpleNamespace(offset=offset) for each, offset in self.committed[name].items()}
            for name in names
        }

    def list_partition_offsets(self, specs: dict[TopicPartition, int], _isolation: object) -> dict[Any, Any]:
        assert set(specs) == {P0, P1}
        answers = {OffsetSpec.LATEST: (10, NONE), NOW_MS - 3_600_000: (7, NONE), OffsetSpec.MAX_TIMESTAMP: (9, NOW_MS)}
        offset, timestamp = answers[specs[P0]]
        return {each: SimpleNamespace(offset=offset, timestamp=timestamp) for each in specs}

    def close(self) -> None:
        """Close nothing."""


def test_brokers_are_asked_for_topics_groups_and_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer({P0: [3, 5, 9], P1: []}, {P0: 10, P1: 10})

    def client(_: Settings, make: type, **_options: object) -> Any:
        return consumer if make is KafkaConsumer else Admin()

    monkeypatch.setattr(brokers, "kafka_client", client)

    found = look(Settings(), NOW)

    config = {"retention.ms": "1"}
    assert found.topics == {
        "orders": RealTopic(2, config, 2, under_replicated=(1,)),
        "broken": RealTopic(1, config, 2, leaderless=(0,)),
    }
    assert found.groups == (
        Group("fraud_detection", "Empty", {P0: 4}, {P0: 5_000}),
        Group("notifier", "Stable", {P1: 10}, {}),
    )
    assert (found.ends, found.recent) == ({P0: 10, P1: 10}, {P0: 7, P1: 7})
    assert found.newest == {P0: 9_000, P1: NONE}
