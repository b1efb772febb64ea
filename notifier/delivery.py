"""Delivery of notifications: each is delivered, becomes a dead letter, or was delivered before. Only then is its offset
committed."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from random import Random

from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from connectors.kafka.client import poll
from connectors.kafka.topics import NOTIFICATIONS
from notifier.dead_letters import DeadLetters, NoNotificationError, Undeliverable, decoded
from notifier.delivered_ids import Memory
from notifier.mail_server import Answer
from notifier.message import UndeliverableError, email_of
from notifier.message_queue import Message, Waiting
from notifier.offsets import Offsets
from notifier.retries import Availability, Patience
from notifier.senders import Senders

MOST_WAITING = 1_000
"""Maximum number of messages held in memory; at this number, reading pauses."""
WIDEST_SPREAD = 10_000
"""Maximum number of records read from a partition from its oldest unsettled record on."""
COMMIT_SECONDS = 1.0
COMMIT_TIMEOUT_MS = 2_000
LOOK_SECONDS = 1.0
LOOK_TIMEOUT_MS = 1_000
FORGET_SECONDS = 3600.0
POLL_MS = 100
JOIN_POLL_MS = 1_000
JOIN_SECONDS = 20.0
"""How long the notifier may be without partitions before it starts to join the group again."""
ANSWER_SECONDS = 0.02


class Delivery(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """One running member of the consumer group."""

    def __init__(
        self,
        *,
        consumer: KafkaConsumer,
        memory: Memory,
        dead_letters: DeadLetters,
        senders: Senders,
        patience: Patience,
        sender: str,
    ) -> None:
        """Subscribe to the topic; nothing is read yet."""
        self._consumer, self._memory, self._dead_letters, self._senders = consumer, memory, dead_letters, senders
        self._patience, self._sender, self._random = patience, sender, Random()
        self._waiting, self._offsets = Waiting(), Offsets()
        self.server = Availability(patience, self._random)
        self.counts: Counter[str] = Counter()
        """Number of notifications by outcome: `delivered`, `delivered before`, `dead letters`."""
        self._has_joined, self._commit_fault = False, ""
        self.kafka_away_since: float | None = None
        """When the brokers became unavailable, in seconds of the monotonic clock; None while they are available."""
        self._active_at = self._committed_at = self._looked_at = time.monotonic()
        self._forgot_at = -FORGET_SECONDS
        self._join()

    @property
    def waiting(self) -> int:
        """Number of notifications that were read and are neither delivered nor written as dead letters."""
        return len(self._waiting) + len(self._dead_letters)

    @property
    def fault(self) -> str:
        """Why there is no progress; empty if nothing prevents it."""
        return self.server.reason or self._dead_letters.fault or self._commit_fault

    def work(self) -> None:
        """Read new records, send what is due and record the results; takes a few seconds at most."""
        self._read()
        self._look()
        self._hand_over()
        self._note(self._senders.answers(ANSWER_SECONDS) if self._senders else [])
        now = time.monotonic()
        if now - self._committed_at >= COMMIT_SECONDS:
            self._committed_at = now
            self._commit()
        if now - self._forgot_at >= FORGET_SECONDS:
            self._forgot_at = now
            self._memory.forget_old(_now_ms())

    def is_idle(self, seconds: float) -> bool:
        """Return whether for `seconds` no record came, nothing is waiting, and the topic is read to its end."""
        if not self._has_joined or self.waiting or time.monotonic() - self._active_at < seconds:
            return False
        assigned = self._consumer.assignment()
        ends = self._ends(assigned)
        if ends is None:
            return False  # the brokers are unavailable, so the end of the topic is unknown
        positions = {each: self._consumer.position(each, timeout_ms=LOOK_TIMEOUT_MS) for each in assigned}
        return all(at is not None and at >= ends[each] for each, at in positions.items())

    def finish(self) -> None:
        """Wait for what is under way, and commit all settled offsets."""
        self._await_answers()
        self._note([])
        self._commit()

    async def on_partitions_assigned(self, _assigned: Collection[TopicPartition]) -> None:
        """Note that the notifier has partitions; Kafka's client calls this from its own thread, within `poll`."""
        self._has_joined, self._active_at = True, time.monotonic()

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        """Settle what is under way while the partitions are still ours; otherwise their next owner would deliver it
        again.

        Kafka's client calls this from its own thread, within `poll` or `close`, and sends heartbeats while this awaits.
        """
        self._has_joined, self._joins_since = False, time.monotonic()
        while self._senders:
            self._note(self._senders.answers(ANSWER_SECONDS))
            await self._commit_while_joining()
        await self._commit_while_joining()

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
            return  # the brokers are unavailable; if that prevents joining, `_read` starts again
        if NOTIFICATIONS.name not in topics:
            raise ConnectionError(f"there is no topic {NOTIFICATIONS.name}: `python -m ops topics apply` makes it")

    def _read(self) -> None:
        self._hold_back()
        records = poll(self._consumer, self._poll_ms())
        # kafka-python 3.0.12 loses its joining state if joining ends between two calls of poll, and then never joins.
        is_stuck = not self._has_joined and time.monotonic() - self._joins_since > JOIN_SECONDS
        if is_stuck and self.kafka_away_since is None:
            self._consumer.unsubscribe()
            self._join()
        self._let_go()
        for record in chain(*records.values()):
            self._take(record)

    def _look(self) -> None:
        """Note whether the brokers are available; `poll` returns nothing in either case."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        is_there = self._ends(self._consumer.assignment() or {_FIRST_PARTITION}) is not None
        self.kafka_away_since = None if is_there else self.kafka_away_since or now
        self._looked_at = time.monotonic()

    def _ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int] | None:
        """Return the end offset of each partition, or None if the brokers are unavailable."""
        try:
            return dict(self._consumer.end_offsets(list(partitions), timeout_ms=LOOK_TIMEOUT_MS))
        except KafkaError:
            return None

    def _poll_ms(self) -> int:
        """Return how long to wait for records. While the client joins, it needs longer calls: it joins only during
        them."""
        if not self._has_joined:
            return JOIN_POLL_MS
        has_more_to_do = self._senders or (self.server.is_there and self._waiting.is_due(time.monotonic()))
        return 0 if has_more_to_do else POLL_MS

    def _let_go(self) -> None:
        """Forget records of partitions that another member owns now. For those that stay, the client keeps its
        position."""
        lost = self._offsets.partitions - self._consumer.assignment()
        if lost:
            self._await_answers()
            self._waiting.forget(lost)
            self._offsets.forget(lost)

    def _await_answers(self) -> None:
        while self._senders:
            self._note(self._senders.answers(ANSWER_SECONDS))

    def _hold_back(self) -> None:
        """Pause partitions while the limits on held and unsettled records are reached."""
        for partition in self._consumer.assignment():
            is_full = len(self._waiting) >= MOST_WAITING or self._offsets.spread(partition) >= WIDEST_SPREAD
            if is_full:
                self._consumer.pause(partition)
            elif partition in self._consumer.paused():
                self._consumer.resume(partition)

    def _take(self, record: ConsumerRecord) -> None:
        self._active_at = time.monotonic()
        if not self._offsets.took(TopicPartition(record.topic, record.partition), record.offset):
            return
        try:
            notification = decoded(record, _now_ms())
        except NoNotificationError as error:
            self._dead_letters.add(Undeliverable(record, str(error)))
            return
        self._waiting.add(Message(record, notification, self._active_at))

    def _hand_over(self) -> None:
        if not self._has_joined:
            return  # without partitions it is unknown which member these messages will belong to
        now = time.monotonic()
        while self._senders.has_room and (message := self._waiting.take(now)):
            if self._memory.has(message.notification.event_id):
                self._settle("delivered before", [message.record])
                self._waiting.done(message)
            elif self.server.is_over(message.since, now):
                self._give_up(message, f"the mail server was away for too long: {self.server.reason}")
            elif self.server.is_open(now):
                self._offer(message)
            else:
                self._waiting.put_off(message, now + ANSWER_SECONDS)
                return

    def _offer(self, message: Message) -> None:
        try:
            email = email_of(message.notification, self._sender)
        except UndeliverableError as error:
            self._give_up(message, str(error))
            return
        self.server.claim()
        self._senders.send(message, email)

    def _note(self, answers: Iterable[tuple[Message, Answer]]) -> None:
        taken = [message for message, answer in answers if self._is_taken(message, answer)]
        if taken:
            self._memory.remember((message.notification.event_id for message in taken), _now_ms())
            self._settle("delivered", [message.record for message in taken])
            for message in taken:
                self._waiting.done(message)
        if self.kafka_away_since is None:  # while the brokers are unavailable, writing would only delay the e-mails
            self._settle("dead letters", [each.record for each in self._dead_letters.write()])

    def _is_taken(self, message: Message, answer: Answer) -> bool:
        """Return whether the message is delivered; if not, put it off or give it up."""
        now = time.monotonic()
        if answer.verdict == "away":
            self.server.failed(answer.words, now)
            self._waiting.put_off(message, now)
            return False
        self.server.answered()
        if answer.verdict == "taken":
            return True
        message.failures += 1
        if answer.verdict == "never":
            self._give_up(message, f"the mail server refused it: {answer.words}")
        elif message.failures >= self._patience.attempts:
            self._give_up(message, f"given up after {message.failures} attempts, at last: {answer.words}")
        else:
            self._waiting.put_off(message, now + self._patience.retry_delay(message.failures, self._random))
        return False

    def _give_up(self, message: Message, reason: str) -> None:
        self._dead_letters.add(Undeliverable(message.record, reason))
        self._waiting.done(message)

    def _settle(self, what: str, records: Collection[ConsumerRecord]) -> None:
        self.counts[what] += len(records)
        for record in records:
            self._active_at = time.monotonic()
            self._offsets.settled(TopicPartition(record.topic, record.partition), record.offset)

    def _commit(self) -> None:
        offsets = self._offsets.to_commit()
        if offsets and self.kafka_away_since is None:
            with self._commit_of(offsets):
                self._consumer.commit(_as_committed(offsets), timeout_ms=COMMIT_TIMEOUT_MS)

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
            # The brokers are unavailable, or another member owns the partitions by now: that one finds in the memory,
            # or in the mailbox, what was delivered.
            self._commit_fault = f"offsets can't be committed now: {error}"
        else:
            self._offsets.committed(offsets)
            self._commit_fault = ""


def _as_committed(offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {each: OffsetAndMetadata(offset, "", -1) for each, offset in offsets.items()}


_FIRST_PARTITION = TopicPartition(NOTIFICATIONS.name, 0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
