"""A consumer of partitions in memory, with the part of kafka-python's interface that the health checks use."""

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition

from ops.health.answers import brokers


class Consumer:
    """A consumer of partitions that have records at some offsets.

    A record's timestamp is its offset in seconds unless `times` has another; its key is its offset as text.
    """

    def __init__(
        self,
        records: Mapping[TopicPartition, list[int]],
        ends: Mapping[TopicPartition, int],
        batch: int = 500,
        times: Mapping[TopicPartition, Mapping[int, int]] | None = None,
    ) -> None:
        self.records, self.ends, self.batch, self.times = records, ends, batch, times or {}
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.read: list[int] = []
        """Offsets that were read, in order."""

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        self.assigned = list(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.assigned
        self.positions[partition] = offset

    def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def poll(self, timeout_ms: int, max_records: int | None) -> dict[TopicPartition, list[Any]]:
        assert (timeout_ms, max_records) == (brokers.POLL_MS, None)
        found = {}
        for partition in set(self.assigned) - self.paused:
            unread = [each for each in self.records[partition] if each >= self.positions[partition]]
            if unread:
                found[partition] = [self._record(partition, each) for each in unread[: self.batch]]
                self.read += unread[: self.batch]
            rest = unread[self.batch :]
            self.positions[partition] = rest[0] if rest else self.ends[partition]
        return found

    def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        """Return the first record since each time, or None."""
        found: dict[TopicPartition, Any] = {}
        for partition, since in times.items():
            records = (self._record(partition, each) for each in self.records.get(partition, ()))
            found[partition] = next((record for record in records if record.timestamp >= since), None)
        return found

    def _record(self, partition: TopicPartition, offset: int) -> SimpleNamespace:
        return SimpleNamespace(
            topic=partition.topic,
            partition=partition.partition,
            offset=offset,
            timestamp=self.times.get(partition, {}).get(offset, offset * 1000),
            key=str(offset).encode(),
            value=b"{}",
        )

    def close(self) -> None:
        """Close nothing."""
