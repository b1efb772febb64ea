"""A rebalance of the consumer group: what is under way is settled first, then another member continues, or this one."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaConnectionError

from connectors.kafka.topics import NOTIFICATIONS
from connectors.settings import Settings
from notifier.dead_letters import DeadLetters
from notifier.delivered_ids import DeliveredIds
from notifier.delivery import Delivery
from notifier.group_member import JOIN_POLL_MS
from notifier.mail_server import Answer
from notifier.message_queue import Message
from notifier.retries import RetryPolicy
from tests.builders.notifications import consumed, notification

FIRST, SECOND = (TopicPartition(NOTIFICATIONS.name, number) for number in (0, 1))
TAKEN = Answer("taken", "")


class Consumer:
    """A consumer whose group rebalances when a test wants it, within `poll` as Kafka's client does it."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], Iterable[ConsumerRecord]]] = []
        self.assigned: set[TopicPartition] = set()
        self.committed: dict[TopicPartition, int] = {}
        self.paused_now: set[TopicPartition] = set()
        self.timeouts_ms: list[int] = []
        self.fault: Exception | None = None
        self.subscriptions = 0

    def subscribe(self, topics: list[str], listener: Any) -> None:
        assert topics == [NOTIFICATIONS.name]
        self.listener = listener
        self.subscriptions += 1

    def unsubscribe(self) -> None:
        self.assigned = set()

    def topics(self) -> set[str]:
        return {NOTIFICATIONS.name}

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def poll(self, timeout_ms: int, max_records: int | None) -> dict[TopicPartition, list[ConsumerRecord]]:
        assert max_records is None
        self.timeouts_ms.append(timeout_ms)
        records = list(self.steps.pop(0)()) if self.steps else []
        return {each: [r for r in records if r.partition == each.partition] for each in (FIRST, SECOND)}

    def revoke(self) -> tuple[()]:
        asyncio.run(self.listener.on_partitions_revoked(self.assigned))
        return ()

    def assign(self, *partitions: TopicPartition) -> tuple[()]:
        self.assigned = set(partitions)
        asyncio.run(self.listener.on_partitions_assigned(self.assigned))
        return ()

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        assert timeout_ms
        if isinstance(self.fault, KafkaConnectionError):
            raise self.fault
        return dict.fromkeys(partitions, 100)

    def commit(self, offsets: dict[TopicPartition, Any], timeout_ms: int | None = None) -> None:
        assert timeout_ms
        if self.fault:
            raise self.fault
        self.committed |= {each: committed.offset for each, committed in offsets.items()}

    async def commit_async(self, offsets: dict[TopicPartition, Any]) -> None:
        self.commit(offsets, timeout_ms=1)

    def paused(self) -> set[TopicPartition]:
        return self.paused_now

    def pause(self, partition: TopicPartition) -> None:
        self.paused_now.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self.paused_now.discard(partition)


class Senders:
    """Sends messages, and gets an answer for one of them each time it is asked once `answering` is set."""

    def __init__(self) -> None:
        self.under_way: list[Message] = []
        self.sent: list[str] = []
        self.answering = False

    def __len__(self) -> int:
        return len(self.under_way)

    @property
    def has_room(self) -> bool:
        return len(self.under_way) < 2

    def send(self, message: Message, email: EmailMessage) -> None:
        assert email["To"]
        self.under_way.append(message)
        self.sent.append(message.notification.event_id)

    def answers(self, within_seconds: float) -> list[tuple[Message, Answer]]:
        assert within_seconds > 0
        return [(self.under_way.pop(0), TAKEN)] if self.answering else []


class Running:
    """A notifier with two partitions, and two messages of each: one recipient's in the first, two in the second."""

    def __init__(self, folder: Path) -> None:
        self.consumer, self.senders = Consumer(), Senders()
        self.delivery = Delivery(
            consumer=self.consumer,
            delivered_ids=DeliveredIds(folder / "group.sqlite"),
            dead_letters=DeadLetters(Settings()),
            senders=self.senders,  # type: ignore[arg-type]
            policy=RetryPolicy(attempts=3, outage_seconds=100),
            sender="shop@mail.example",
        )

    def poll(self, *steps: Callable[[], Iterable[ConsumerRecord]]) -> None:
        """Work once for each step, which happens within `poll` and returns what was read."""
        self.consumer.steps += steps
        for _ in steps:
            self.delivery.work()

    def join(self, *partitions: TopicPartition) -> Callable[[], Iterable[ConsumerRecord]]:
        return lambda: self.consumer.assign(*partitions)

    def rebalance(self, *partitions: TopicPartition) -> Callable[[], Iterable[ConsumerRecord]]:
        return lambda: (*self.consumer.revoke(), *self.consumer.assign(*partitions))


def of(partition: int, offset: int, recipient: str) -> ConsumerRecord:
    value = msgspec.json.encode(notification(f"{partition}-{offset}", recipient=recipient))
    return consumed(value, partition=partition, offset=offset)


def records() -> Collection[ConsumerRecord]:
    return [of(0, 7, "a"), of(0, 8, "a"), of(1, 4, "b"), of(1, 5, "c")]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """A notifier that has read four messages, of which two are under way."""
    made = Running(tmp_path)
    made.poll(made.join(FIRST, SECOND), records)
    assert made.senders.sent == ["0-7", "1-4"]
    return made


def test_messages_under_way_are_settled_before_partitions_are_given_up(running: Running) -> None:
    running.senders.answering = True

    def revoked() -> Collection[ConsumerRecord]:
        running.consumer.revoke()
        assert len(running.senders) == 0
        assert running.consumer.committed == {FIRST: 8, SECOND: 5}
        assert running.delivery.counts["delivered"] == 2
        return ()

    running.poll(revoked)

    assert running.delivery.waiting == 2


def test_nothing_is_sent_between_revocation_and_assignment(running: Running) -> None:
    running.senders.answering = True

    running.poll(running.consumer.revoke, lambda: (), lambda: ())

    assert running.senders.sent == ["0-7", "1-4"]
    assert running.consumer.timeouts_ms[-2:] == [JOIN_POLL_MS, JOIN_POLL_MS]


def test_messages_of_a_lost_partition_are_neither_sent_nor_committed(running: Running) -> None:
    running.senders.answering = True
    running.poll(running.rebalance(SECOND), *[lambda: ()] * 3)

    running.delivery.finish()

    assert running.senders.sent == ["0-7", "1-4", "1-5"]
    assert running.consumer.committed == {FIRST: 8, SECOND: 6}
    assert running.delivery.waiting == 0


def test_messages_of_a_kept_partition_are_delivered_once(running: Running) -> None:
    running.senders.answering = True

    # The client reads again from the committed offset.
    running.poll(running.rebalance(FIRST, SECOND), lambda: [of(0, 8, "a"), of(1, 5, "c")], *[lambda: ()] * 3)
    running.delivery.finish()

    assert sorted(running.senders.sent) == ["0-7", "0-8", "1-4", "1-5"]
    assert running.consumer.committed == {FIRST: 9, SECOND: 6}


def test_partition_that_comes_back_is_read_from_its_committed_offset(running: Running) -> None:
    running.senders.answering = True
    running.poll(running.rebalance(SECOND), lambda: ())

    running.poll(running.rebalance(FIRST, SECOND), lambda: [of(0, 8, "a")], *[lambda: ()] * 3)
    running.delivery.finish()

    assert sorted(running.senders.sent) == ["0-7", "0-8", "1-4", "1-5"]
    assert running.consumer.committed == {FIRST: 9, SECOND: 6}


def test_offsets_that_can_not_be_committed_are_shown_and_committed_later(running: Running) -> None:
    running.senders.answering = True
    running.consumer.fault = CommitFailedError("another member")

    running.poll(running.rebalance(FIRST, SECOND))

    assert running.consumer.committed == {}
    assert "offsets can't be committed now" in running.delivery.fault
    running.consumer.fault = None
    running.poll(*[lambda: ()] * 3)
    running.delivery.finish()
    assert running.consumer.committed == {FIRST: 9, SECOND: 6}
    assert running.delivery.fault == ""


def test_closing_settles_what_is_under_way(running: Running) -> None:
    running.senders.answering = True

    running.consumer.revoke()  # as the consumer's close does

    assert len(running.senders) == 0
    assert running.consumer.committed == {FIRST: 8, SECOND: 5}
    assert running.senders.sent == ["0-7", "1-4"]
