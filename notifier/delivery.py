"""Delivery of notifications: each is delivered, becomes a dead letter, or was delivered before. Only then is its offset
committed."""

import time
from collections import Counter
from collections.abc import Collection, Iterable
from random import Random

from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from notifier.dead_letters import DeadLetters, InvalidNotificationError, Undeliverable, decoded
from notifier.delivered_ids import DeliveredIds
from notifier.group_member import GroupMember
from notifier.mail_server import Answer
from notifier.message import UndeliverableError, email_of
from notifier.message_queue import Message, MessageQueue
from notifier.retries import Availability, RetryPolicy
from notifier.senders import Senders

MOST_WAITING = 1_000
"""Maximum number of messages held in memory; at this number, reading pauses."""
FORGET_SECONDS = 3600.0
POLL_MS = 100
ANSWER_SECONDS = 0.02


class Delivery:
    """Delivers what one member of the consumer group reads."""

    def __init__(
        self,
        *,
        consumer: KafkaConsumer,
        delivered_ids: DeliveredIds,
        dead_letters: DeadLetters,
        senders: Senders,
        policy: RetryPolicy,
        sender: str,
    ) -> None:
        """Join the consumer group; nothing is read yet.

        Raises:
            ConnectionError: the topic does not exist.
        """
        self._delivered_ids, self._dead_letters, self._senders = delivered_ids, dead_letters, senders
        self._policy, self._sender, self._random = policy, sender, Random()
        self._queue = MessageQueue()
        self.server = Availability(policy, self._random)
        self.counts: Counter[str] = Counter()
        """Number of notifications by outcome: `delivered`, `delivered before`, `dead letters`."""
        self._forgot_at = -FORGET_SECONDS
        self._member = GroupMember(consumer, self._settle_some, self._queue.forget)

    @property
    def waiting(self) -> int:
        """Number of notifications that were read and are neither delivered nor written as dead letters."""
        return len(self._queue) + len(self._dead_letters)

    @property
    def kafka_unavailable_since(self) -> float | None:
        """When the brokers became unavailable, in seconds of the monotonic clock; None while they are available."""
        return self._member.kafka_unavailable_since

    @property
    def fault(self) -> str:
        """Why there is no progress; empty if nothing prevents it."""
        return self.server.reason or self._dead_letters.fault or self._member.fault

    def work(self) -> None:
        """Read new records, send what is due and record the results; takes a few seconds at most."""
        for record in self._member.read(self._poll_ms(), is_full=len(self._queue) >= MOST_WAITING):
            self._take(record)
        self._member.look()
        self._hand_over()
        self._note(self._senders.answers(ANSWER_SECONDS) if self._senders else [])
        self._member.commit_if_due()
        now = time.monotonic()
        if now - self._forgot_at >= FORGET_SECONDS:
            self._forgot_at = now
            self._delivered_ids.forget_old(_now_ms())

    def is_idle(self, seconds: float) -> bool:
        """Return whether for `seconds` no record came, nothing is waiting, and the topic is read to its end."""
        return not self.waiting and self._member.is_idle(seconds)

    def finish(self) -> None:
        """Wait for what is under way, and commit all settled offsets."""
        while self._settle_some():
            pass
        self._note([])
        self._member.commit()

    def _poll_ms(self) -> int:
        """Return how long to wait for records."""
        has_more_to_do = self._senders or (self.server.is_available and self._queue.is_due(time.monotonic()))
        return 0 if has_more_to_do else POLL_MS

    def _settle_some(self) -> bool:
        """Wait for answers to messages that are under way, and record them; return False if none are under way."""
        if not self._senders:
            return False
        self._note(self._senders.answers(ANSWER_SECONDS))
        return True

    def _take(self, record: ConsumerRecord) -> None:
        try:
            notification = decoded(record, _now_ms())
        except InvalidNotificationError as error:
            self._dead_letters.add(Undeliverable(record, str(error)))
            return
        self._queue.add(Message(record, notification, time.monotonic()))

    def _hand_over(self) -> None:
        if not self._member.has_joined:
            return  # without partitions it is unknown which member these messages will belong to
        now = time.monotonic()
        while self._senders.has_room and (message := self._queue.take(now)):
            if self._delivered_ids.has(message.notification.event_id):
                self._settle("delivered before", [message.record])
                self._queue.done(message)
            elif self.server.is_over(message.since, now):
                self._give_up(message, f"the mail server was unavailable for too long: {self.server.reason}")
            elif self.server.is_open(now):
                self._offer(message)
            else:
                self._queue.put_off(message, now + ANSWER_SECONDS)
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
            self._delivered_ids.add((message.notification.event_id for message in taken), _now_ms())
            self._settle("delivered", [message.record for message in taken])
            for message in taken:
                self._queue.done(message)
        # While the brokers are unavailable, writing would only delay the e-mails.
        if self.kafka_unavailable_since is None:
            self._settle("dead letters", [each.record for each in self._dead_letters.write()])

    def _is_taken(self, message: Message, answer: Answer) -> bool:
        """Return whether the message is delivered; if not, put it off or give it up."""
        now = time.monotonic()
        if answer.verdict == "unavailable":
            self.server.failed(answer.words, now)
            self._queue.put_off(message, now)
            return False
        self.server.answered()
        if answer.verdict == "taken":
            return True
        message.failures += 1
        if answer.verdict == "never":
            self._give_up(message, f"the mail server refused it: {answer.words}")
        elif message.failures >= self._policy.attempts:
            self._give_up(message, f"given up after {message.failures} attempts, at last: {answer.words}")
        else:
            self._queue.put_off(message, now + self._policy.retry_delay(message.failures, self._random))
        return False

    def _give_up(self, message: Message, reason: str) -> None:
        self._dead_letters.add(Undeliverable(message.record, reason))
        self._queue.done(message)

    def _settle(self, outcome: str, records: Collection[ConsumerRecord]) -> None:
        self.counts[outcome] += len(records)
        self._member.settled(records)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
