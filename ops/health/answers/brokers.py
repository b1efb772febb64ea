"""Kafka's topics, consumer groups and offsets at one moment."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaTimeoutError
from kafka.protocol.consumer import IsolationLevel

from connectors.kafka.client import kafka_client, poll
from connectors.kafka.topics import TOPICS
from connectors.settings import Settings
from ops.topics.apply import RealTopic, real_topics

RECENT = timedelta(hours=1)
"""Time for which recent records are counted, by their timestamps."""
WAIT_SECONDS = 2.0
"""Maximum wait for a broker that can't be reached."""
REQUEST_MS = 8_000
"""Timeout of a request to a broker that accepts connections but doesn't answer."""
POLL_MS = 300
READ_SECONDS = 10.0
"""Maximum time in which the first unread records arrive."""
SEARCHED_RECORDS = 5_000
"""Number of offsets at the end of a partition that are searched for a record, where it isn't among the first."""
NEWEST_RECORDS = 500
"""Number of offsets at the end of a partition among which its newest record is taken to be, where brokers don't say."""
NONE = -1
"""Offset or timestamp that brokers return if there is no such record."""

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Group:
    """A consumer group of this deployment."""

    name: str
    """Name of its program: the group's without the prefix."""
    state: str
    """Kafka's state: Stable, Empty…; that of a job is Empty, since Flink assigns the partitions itself."""
    committed: Offsets = field(default_factory=dict)
    """Offset behind the last record that was read."""
    unread_since: Offsets = field(default_factory=dict)
    """Timestamp of the first unread record, of partitions that have one; UTC milliseconds."""


@dataclass(frozen=True)
class Brokers:
    """What the brokers know."""

    topics: Mapping[str, RealTopic] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    ends: Offsets = field(default_factory=dict)
    """Offset behind the last committed record."""
    recent: Offsets = field(default_factory=dict)
    """Offset of the first record of the last hour, or `NONE`."""
    newest: Offsets = field(default_factory=dict)
    """Largest timestamp of a record in UTC milliseconds, or `NONE`."""

    def recent_records(self, topic: str) -> int:
        """Return how many records of a topic came since the first one of the last hour, by their timestamps."""
        return sum(
            self.ends[partition] - first
            for partition, first in self.recent.items()
            if partition.topic == topic and first != NONE
        )


def look(settings: Settings, now: datetime) -> Brokers:
    """Ask the brokers.

    Raises:
        ConnectionError: no broker answers.
        KafkaError: a broker refuses, or doesn't answer in time.
    """
    with closing(quick_client(settings, KafkaAdminClient)) as admin:
        topics = real_topics(admin)
        groups = _groups(admin, settings.consumer_group_prefix, topics)
        wanted = {TopicPartition(each.name, number) for each in TOPICS for number in _numbers(topics, each.name)}
        wanted |= {partition for group in groups for partition in group.committed}
        ends = _offsets(admin, wanted, OffsetSpec.LATEST)
        recent = _offsets(admin, wanted, round((now - RECENT).timestamp() * 1000))
        newest = _listed(admin, wanted, OffsetSpec.MAX_TIMESTAMP)
    with closing(committed_reader(settings)) as consumer:
        groups = [
            Group(
                group.name,
                group.state,
                group.committed,
                first_timestamps(consumer, _behind(group.committed, ends), ends),
            )
            for group in groups
        ]
        times = newest_timestamps(consumer, newest, ends)
    return Brokers(topics, tuple(groups), ends, recent, times)


def quick_client(settings: Settings, make: Callable[..., Any], **options: Any) -> Any:
    """Create a client that waits for a broker no longer than a check may take.

    Raises:
        ConnectionError: no broker answers.
    """
    return kafka_client(
        settings, make, report=report_nothing, within_seconds=WAIT_SECONDS, request_timeout_ms=REQUEST_MS, **options
    )


def committed_reader(settings: Settings) -> Any:
    """Open a consumer without a group that reads committed records.

    Raises:
        ConnectionError: no broker answers.
    """
    options = {"enable_auto_commit": False, "isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    return quick_client(settings, KafkaConsumer, **options)


def first_since(consumer: Any, topic: str, since_ms: int, ends: Offsets) -> dict[TopicPartition, int]:
    """Return the offset of the first record since a time, of each partition of a topic that has one.

    Args:
        since_ms: UTC milliseconds.
        ends: offsets behind the last committed records.
    """
    wanted = {each: since_ms for each in ends if each.topic == topic}
    found: Mapping[TopicPartition, Any] = consumer.offsets_for_times(wanted) if wanted else {}
    return {each: first.offset for each, first in found.items() if first and NONE < first.offset < ends[each]}


def first_timestamps(
    consumer: Any, offsets: Offsets, ends: Offsets, wanted: Callable[[Any], bool] = lambda _record: True
) -> dict[TopicPartition, int]:
    """Return the timestamp of the first wanted record from each offset on; none for a partition without one.

    A partition can end in offsets that are no records: a transaction takes up one or two. Where none of the first
    records is wanted, only the last `SEARCHED_RECORDS` are searched.

    Raises:
        KafkaTimeoutError: the records don't come in time.
    """
    found: dict[TopicPartition, int] = {}

    def take(partition: TopicPartition, records: Sequence[Any]) -> bool:
        timestamp = next((record.timestamp for record in records if wanted(record)), None)
        if timestamp is not None:
            found[partition] = timestamp
        elif consumer.position(partition) < ends[partition] - SEARCHED_RECORDS:
            consumer.seek(partition, ends[partition] - SEARCHED_RECORDS)
        return timestamp is not None

    _read(consumer, offsets, ends, take)
    return found


def newest_timestamps(consumer: Any, listed: Mapping[TopicPartition, Any], ends: Offsets) -> dict[TopicPartition, int]:
    """Return the largest timestamp of a record, of each partition; `NONE` if it has no record.

    What brokers list also counts what no reader gets: the marks of transactions, whose timestamp is the time when it
    ended, and records that were deleted. Where it is none of a record's, the last `NEWEST_RECORDS` offsets are read.

    Args:
        listed: offset and timestamp that brokers have as the largest.

    Raises:
        KafkaTimeoutError: the records don't come in time.
    """
    offsets = {each: newest.offset for each, newest in listed.items() if NONE < newest.offset < ends[each]}
    found = dict.fromkeys(listed, NONE) | first_timestamps(
        consumer, offsets, ends, lambda record: record.offset == offsets[TopicPartition(record.topic, record.partition)]
    )

    def take(partition: TopicPartition, records: Sequence[Any]) -> bool:
        found[partition] = max(found[partition], *(record.timestamp for record in records))
        return False

    rest = {each: max(0, ends[each] - NEWEST_RECORDS) for each in offsets if found[each] == NONE}
    _read(consumer, rest, ends, take)
    return found


def _read(
    consumer: Any, offsets: Offsets, ends: Offsets, take: Callable[[TopicPartition, Sequence[Any]], bool]
) -> None:
    """Read each partition from an offset on, until `take` returns true for its next records, or to its end.

    Raises:
        KafkaTimeoutError: the records don't come in time.
    """
    waiting = set(offsets)
    if not waiting:
        return
    consumer.assign(sorted(waiting))
    consumer.resume(*waiting)  # an earlier call may have paused them
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
    deadline = time.monotonic() + READ_SECONDS
    while waiting:
        batches = poll(consumer, POLL_MS).items()
        done = {each for each, records in batches if each in waiting and take(each, records)}
        done |= {each for each in waiting if consumer.position(each) >= ends[each]}
        waiting -= done
        if done:
            consumer.pause(*done)
        if waiting and time.monotonic() > deadline:
            names = ", ".join(sorted({each.topic for each in waiting}))
            raise KafkaTimeoutError(f"{names} can't be read: nothing came for {READ_SECONDS:.0f} s")


def _groups(admin: Any, prefix: str, topics: Mapping[str, RealTopic]) -> list[Group]:
    states = {
        each["group_id"]: each.get("group_state") or ""
        for each in admin.list_groups()
        if each["group_id"].startswith(f"{prefix}.")
    }
    committed = admin.list_group_offsets(sorted(states)) if states else {}
    return [
        Group(
            group.removeprefix(f"{prefix}."),
            state,
            {
                partition: each.offset
                for partition, each in committed.get(group, {}).items()
                if partition.partition in _numbers(topics, partition.topic) and each.offset != NONE
            },
        )
        for group, state in sorted(states.items())
    ]


def _numbers(topics: Mapping[str, RealTopic], name: str) -> range:
    """Return the partitions of a topic that have a leader, or none if there is no such topic."""
    real = topics.get(name)
    return range(real.partitions) if real and not real.leaderless else range(0)


def _behind(committed: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
    return {partition: offset for partition, offset in committed.items() if offset < ends[partition]}


def _offsets(admin: Any, partitions: Iterable[TopicPartition], spec: int) -> dict[TopicPartition, int]:
    return {partition: each.offset for partition, each in _listed(admin, partitions, spec).items()}


def _listed(admin: Any, partitions: Iterable[TopicPartition], spec: int) -> Mapping[TopicPartition, Any]:
    specs = dict.fromkeys(partitions, spec)
    found: Mapping[TopicPartition, Any] = (
        admin.list_partition_offsets(specs, IsolationLevel.READ_COMMITTED) if specs else {}
    )
    return found


def report_nothing(_text: str) -> None:
    """Keep a wait of seconds to itself: its end is reported as a result."""
