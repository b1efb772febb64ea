"""How do a topic's records spread over its keys and partitions? One hot key is one busy partition."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from connectors.settings import Settings
from ops.command_group import connecting_to_kafka

DEADLINE_SECONDS = 30


@dataclass(frozen=True)
class KeySample:
    """How the latest records of a topic spread over its keys."""

    records: int
    keys: int
    hottest_key: str
    hottest_share: float
    """Share of the records that have the hottest key, 0 to 1."""
    partition_shares: Mapping[int, float]
    """Share of the records that are in each partition; even would be 1 / partitions."""


def sample_keys(settings: Settings, topic: str, latest: int) -> KeySample:
    """Count the keys of about the latest `latest` records, the same number from each partition.

    Raises:
        LookupError: there is no such topic, or nothing in it.
    """
    with connecting_to_kafka(settings):
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers.split(","),
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
    try:
        found = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not found:
            raise LookupError(f"there is no topic {topic!r} at {settings.kafka_bootstrap_servers}")
        return _key_sample(topic, list(_latest_records(consumer, found, max(1, latest // len(found)))))
    finally:
        consumer.close()


def _latest_records(consumer: Any, partitions: Sequence[Any], count_each: int) -> Iterator[Any]:
    consumer.assign(partitions)
    first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, max(first[partition], end[partition] - count_each))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(consumer.position(partition) < end[partition] for partition in partitions):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"the latest records can't be read within {DEADLINE_SECONDS} s")
        for records in consumer.poll(timeout_ms=500).values():
            yield from records


def _key_sample(topic: str, records: Sequence[Any]) -> KeySample:
    if not records:
        raise LookupError(f"the topic {topic!r} is empty")
    keys = Counter(record.key for record in records)
    partitions = Counter(record.partition for record in records)
    [(hottest, count)] = keys.most_common(1)
    return KeySample(
        records=len(records),
        keys=len(keys),
        hottest_key="null" if hottest is None else hottest.decode(errors="replace"),
        hottest_share=count / len(records),
        partition_shares={number: partitions[number] / len(records) for number in sorted(partitions)},
    )
