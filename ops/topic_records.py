"""What is in a topic? Its committed records up to the end as it is now."""

import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from connectors.settings import Settings
from ops.command_group import connecting_to_kafka

SILENT_SECONDS = 180
"""Longest wait for the next records; a broker may be away meanwhile."""


def committed_records(settings: Settings, topic: str, latest: int | None = None) -> Iterator[Any]:
    """Records in the order of each partition.

    Args:
        latest: only those among about so many offsets at the ends of the partitions; a transaction takes up one, too.

    Raises:
        LookupError: there is no such topic.
        ConnectionError: no broker answers.
    """
    with connecting_to_kafka(settings) as options:
        consumer = KafkaConsumer(**options, enable_auto_commit=False, isolation_level="read_committed")
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            raise LookupError(f"there is no topic {topic!r} at {settings.kafka_bootstrap_servers}")
        consumer.assign(partitions)
        first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        for each in partitions:
            from_end = first[each] if latest is None else end[each] - max(1, latest // len(partitions))
            consumer.seek(each, max(first[each], from_end))
        deadline = time.monotonic() + SILENT_SECONDS
        while any(consumer.position(each) < end[each] for each in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                deadline = time.monotonic() + SILENT_SECONDS
                yield from records
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"{topic} can't be read to its end: nothing came for {SILENT_SECONDS} s")
    finally:
        consumer.close()
