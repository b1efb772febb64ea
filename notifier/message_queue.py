"""Queue of messages: those of one recipient in order, one at a time; no recipient waits for another."""

import heapq
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from events import Notification


@dataclass(eq=False)
class Message:
    """A notification that is to be delivered."""

    record: ConsumerRecord
    """Record that the notification was read from."""
    notification: Notification
    since: float
    """When it was read, in seconds of the monotonic clock."""
    failures: int = 0
    """Number of times the server refused it."""

    @property
    def partition(self) -> TopicPartition:
        """Partition that it was read from."""
        return TopicPartition(self.record.topic, self.record.partition)


class MessageQueue:
    """Messages that are neither delivered nor given up.

    Only a recipient's oldest message can be taken; while it is under way or put off, none of that recipient can.
    """

    def __init__(self) -> None:
        """Start with no message."""
        self._by_recipient: dict[str, deque[Message]] = {}
        self._ready: list[tuple[float, int, Message]] = []
        self._number = 0
        self._count = 0

    def __len__(self) -> int:
        """Return the number of messages, those that are under way included."""
        return self._count

    def add(self, message: Message) -> None:
        """Add a message behind the others of its recipient."""
        queue = self._by_recipient.setdefault(message.notification.recipient, deque())
        queue.append(message)
        self._count += 1
        if len(queue) == 1:
            self._make_ready(message, message.since)

    def take(self, now: float) -> Message | None:
        """Take the next message, which is then under way; None if none is due."""
        return heapq.heappop(self._ready)[2] if self.is_due(now) else None

    def is_due(self, now: float) -> bool:
        """Return whether a message is due."""
        return bool(self._ready) and self._ready[0][0] <= now

    def put_off(self, message: Message, until: float) -> None:
        """Make a message that was under way available again at that time."""
        self._make_ready(message, until)

    def done(self, message: Message) -> None:
        """Remove a message that was under way; the next one of its recipient becomes available."""
        recipient = message.notification.recipient
        queue = self._by_recipient[recipient]
        queue.popleft()
        self._count -= 1
        if queue:
            self._make_ready(queue[0], queue[0].since)
        else:
            del self._by_recipient[recipient]

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop messages of these partitions; none may be under way."""
        kept = [message for queue in self._by_recipient.values() for message in queue]
        self._by_recipient, self._ready, self._count = {}, [], 0
        for message in kept:
            if message.partition not in partitions:
                self.add(message)

    def _make_ready(self, message: Message, at: float) -> None:
        self._number += 1
        heapq.heappush(self._ready, (at, self._number, message))
