"""Tracks which offsets can be committed: records are settled in any order, but offsets are committed in sequence."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kafka import TopicPartition


@dataclass
class _Partition:
    next_offset: int
    """Offset after all that is settled without a gap."""
    committed: int
    last_taken: int
    open: deque[int] = field(default_factory=deque)
    """Offsets in sequence, from the oldest unsettled one on."""
    settled: set[int] = field(default_factory=set)
    """Settled offsets among `open`."""


class Offsets:
    """Records that were read and which of them are settled, by partition."""

    def __init__(self) -> None:
        """Start with no partition."""
        self._partitions: dict[TopicPartition, _Partition] = {}

    def took(self, partition: TopicPartition, offset: int) -> bool:
        """Record that a record was read, in order of offsets; return False if it was read before, as after a
        rebalance."""
        if partition not in self._partitions:
            self._partitions[partition] = _Partition(next_offset=offset, committed=offset, last_taken=offset - 1)
        found = self._partitions[partition]
        if offset <= found.last_taken:
            return False
        found.last_taken = offset
        found.open.append(offset)
        return True

    def settled(self, partition: TopicPartition, offset: int) -> None:
        """Mark a record as settled: it need not be read again."""
        found = self._partitions.get(partition)
        if found is None:
            return  # another member owns the partition by now
        found.settled.add(offset)
        while found.open and found.open[0] in found.settled:
            found.settled.remove(found.open[0])
            found.next_offset = found.open.popleft() + 1

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """Partitions of which a record was read."""
        return frozenset(self._partitions)

    def spread(self, partition: TopicPartition) -> int:
        """Return how many records have been read from the oldest unsettled one on."""
        return len(self._partitions[partition].open) if partition in self._partitions else 0

    def to_commit(self) -> dict[TopicPartition, int]:
        """Return the next offset of each partition for which it isn't committed yet."""
        return {
            partition: found.next_offset
            for partition, found in self._partitions.items()
            if found.next_offset > found.committed
        }

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Record that these offsets are committed."""
        for partition, offset in offsets.items():
            self._partitions[partition].committed = offset

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Forget these partitions: another member owns them now."""
        for partition in partitions:
            self._partitions.pop(partition, None)
