"""Membership in the consumer group: partitions, the records that are read from them, and committed offsets."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from connectors.kafka.client import poll
from connectors.kafka.topics import NOTIFICATIONS
from notifier.offsets import Offsets

WIDEST_SPREAD = 10_000
"""Maximum number of records read from a partition from its oldest unsettled record on."""
COMMIT_SECONDS = 1.0
COMMIT_TIMEOUT_MS = 2_000
LOOK_SECONDS = 1.0
LOOK_TIMEOUT_MS = 1_000
JOIN_POLL_MS = 1_000
JOIN_SECONDS = 20.0
"""How long the notifier may be without partitions before it starts to join the group again."""


class GroupMember(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """One running member of the consumer group.

    Args:
        settle_some: settles some of the records that are under way, or returns False if none are; called while
            partitions are revoked, from a thread of Kafka's client.
        forget: drops what is held of partitions that another member owns now; nothing of them is under way.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        settle_some: Callable[[], bool],
        forget: Callable[[Collection[TopicPartition]], None],
    ) -> None:
        """Subscribe to the topic; nothing is read yet.

        Raises:
            ConnectionError: the topic does not exist.
        """
        self._consumer, self._settle_some, self._forget = consumer, settle_some, forget
        self._offsets = Offsets()
        self.has_joined = False
        """Whether this member has its partitions; False while the group rebalances."""
        self.fault = ""
        """Why offsets can't be committed; empty if they can."""
        self.kafka_unavailable_since: float | None = None
        """When the brokers became unavailable, in seconds of the monotonic clock; None while they are available."""
        self._active_at = self._committed_at = self._looked_at = time.monotonic()
        self._join()

    async def on_partitions_assigned(self, _assigned: Collection[TopicPartition]) -> None:
        """Note that the notifier has partitions; Kafka's client calls this from its own thread, within `poll`."""
        self.has_joined, self._active_at = True, time.monotonic()

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        """Settle what is under way while the partitions are still ours; otherwise their next owner would deliver it
        again.

        Kafka's client calls this from its own thread, within `poll` or `close`, and sends heartbeats while this awaits.
        """
        self.has_joined, self._joins_since = False, time.monotonic()
        while self._settle_some():
            await self._commit_while_joining()
        await self._commit_while_joining()

    def read(self, timeout_ms: int, *, is_full: bool) -> list[ConsumerRecord]:
        """Return the records that come within `timeout_ms` and that were not read before.

        Args:
            is_full: whether no more records can be held.
        """
        self._hold_back(is_full)
        # While the client joins, it needs longer calls: it joins only during them.
        found = poll(self._consumer, timeout_ms if self.has_joined else JOIN_POLL_MS)
        # kafka-python 3.0.12 loses its joining state if joining ends between two calls of poll, and then never joins.
        is_stuck = not self.has_joined and time.monotonic() - self._joins_since > JOIN_SECONDS
        if is_stuck and self.kafka_unavailable_since is None:
            self._consumer.unsubscribe()
            self._join()
        self._let_go()
        records = list(chain(*found.values()))
        if records:
            self._active_at = time.monotonic()
        return [each for each in records if self._offsets.took(_partition_of(each), each.offset)]

    def look(self) -> None:
        """Note whether the brokers are available; `poll` returns nothing in either case."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        is_available = self._ends(self._consumer.assignment() or {_FIRST_PARTITION}) is not None
        self.kafka_unavailable_since = None if is_available else self.kafka_unavailable_since or now
        self._looked_at = time.monotonic()

    def settled(self, records: Collection[ConsumerRecord]) -> None:
        """Mark records as settled: they need not be read again."""
        if records:
            self._active_at = time.monotonic()
        for record in records:
            self._offsets.settled(_partition_of(record), record.offset)

    def commit_if_due(self) -> None:
        """Commit the offsets of settled records, once in `COMMIT_SECONDS`."""
        now = time.monotonic()
        if now - self._committed_at >= COMMIT_SECONDS:
            self._committed_at = now
            self.commit()

    def commit(self) -> None:
        """Commit the offsets of settled records, unless the brokers are unavailable."""
        offsets = self._offsets.to_commit()
        if offsets and self.kafka_unavailable_since is None:
            with self._commit_of(offsets):
                self._consumer.commit(_as_committed(offsets), timeout_ms=COMMIT_TIMEOUT_MS)

    def is_idle(self, seconds: float) -> bool:
        """Return whether no record came or was settled for `seconds`, and the partitions are read to their end."""
        if not self.has_joined or time.monotonic() - self._active_at < seconds:
            return False
        assigned = self._consumer.assignment()
        ends = self._ends(assigned)
        if ends is None:
            return False  # the brokers are unavailable, so the end of the topic is unknown
        positions = {each: self._consumer.position(each, timeout_ms=LOOK_TIMEOUT_MS) for each in assigned}
        return all(at is not None and at >= ends[each] for each, at in positions.items())

    def _join(self) -> None:
        """Join the consumer group, or join it again.

        Raises:
            ConnectionError: the topic does not exist.
        """
        self._joins_since = time.monotonic()
        self._consumer.subscribe([NOTIFICATIONS.name], listener=self)
        try:
            # Ask for the topics now: otherwise the client joins before it knows the partitions, and again when it does.
            topics = self._consumer.topics()
        except KafkaError:
            return  # the brokers are unavailable; if that prevents joining, `read` starts again
        if NOTIFICATIONS.name not in topics:
            raise ConnectionError(f"there is no topic {NOTIFICATIONS.name}: `python -m ops topics apply` makes it")

    def _hold_back(self, is_full: bool) -> None:
        """Pause partitions while the limits on held and unsettled records are reached."""
        for partition in self._consumer.assignment():
            if is_full or self._offsets.spread(partition) >= WIDEST_SPREAD:
                self._consumer.pause(partition)
            elif partition in self._consumer.paused():
                self._consumer.resume(partition)

    def _let_go(self) -> None:
        """Forget records of partitions that another member owns now. For those that stay, the client keeps its
        position.

        Nothing of them is under way: all of it was settled when they were revoked, and nothing is sent until there are
        partitions again.
        """
        lost = self._offsets.partitions - self._consumer.assignment()
        if lost:
            self._forget(lost)
            self._offsets.forget(lost)

    def _ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int] | None:
        """Return the end offset of each partition, or None if the brokers are unavailable."""
        try:
            return dict(self._consumer.end_offsets(list(partitions), timeout_ms=LOOK_TIMEOUT_MS))
        except KafkaError:
            return None

    async def _commit_while_joining(self) -> None:
        offsets = self._offsets.to_commit()
        with self._commit_of(offsets):
            await self._consumer.commit_async(_as_committed(offsets))

    @contextmanager
    def _commit_of(self, offsets: Mapping[TopicPartition, int]) -> Iterator[None]:
        """Record whether a commit succeeded."""
        try:
            yield
        except KafkaError as error:
            # The brokers are unavailable, or another member owns the partitions by now: that one finds among the
            # delivered ids, or in the mailbox, what was delivered.
            self.fault = f"offsets can't be committed now: {error}"
        else:
            self._offsets.committed(offsets)
            self.fault = ""


def _partition_of(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _as_committed(offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {each: OffsetAndMetadata(offset, "", -1) for each, offset in offsets.items()}


_FIRST_PARTITION = TopicPartition(NOTIFICATIONS.name, 0)
