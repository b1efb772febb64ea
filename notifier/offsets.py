"""How far has everything been dealt with? Records end in any order; offsets can only be committed in theirs."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kafka import TopicPartition


@dataclass
class _Partition:
    next_offset: int
    """Behind all that is settled without a gap."""
    committed: int
    last_taken: int
    open: deque[int] = field(default_factory=deque)
    """Offsets in their order, from the oldest that isn't settled on."""
    settled: set[int] = field(default_factory=set)
    """Those of them that are settled."""


class Offsets:
    """What has been read and what of it is settled, by partition."""

    def __init__(self) -> None:
        """Nothing has been read."""
        self._partitions: dict[TopicPartition, _Partition] = {}

    def took(self, partition: TopicPartition, offset: int) -> bool:
        """A record was read, behind those before it; False if it was read before, as after a rebalance."""
        if partition not in self._partitions:
            self._partitions[partition] = _Partition(next_offset=offset, committed=offset, last_taken=offset - 1)
        found = self._partitions[partition]
        if offset <= found.last_taken:
            return False
        found.last_taken = offset
        found.open.append(offset)
        return True

    def settled(self, partition: TopicPartition, offset: int) -> None:
        """A record that was read need not be read again."""
        found = self._partitions.get(partition)
        if found is None:
            return  # it is somebody else's by now
        found.settled.add(offset)
        while found.open and found.open[0] in found.settled:
            found.settled.remove(found.open[0])
            found.next_offset = found.open.popleft() + 1

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """Those of which something was read."""
        return frozenset(self._partitions)

    def spread(self, partition: TopicPartition) -> int:
        """How many records have been read from the oldest that isn't settled on."""
        return len(self._partitions[partition].open) if partition in self._partitions else 0

    def to_commit(self) -> dict[TopicPartition, int]:
        """Where each partition is to be read on from, if that isn't committed yet."""
        return {
            partition: found.next_offset
            for partition, found in self._partitions.items()
            if found.next_offset > found.committed
        }

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These are committed."""
        for partition, offset in offsets.items():
            self._partitions[partition].committed = offset

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These are somebody else's now."""
        for partition in partitions:
            self._partitions.pop(partition, None)
