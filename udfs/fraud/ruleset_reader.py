"""Reads rulesets from their topic: all versions before the first payment, new ones afterwards."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, RetriableError

from events import Ruleset
from udfs.fraud.rules import RulesetError, RulesetHistory

log = logging.getLogger(__name__)

_POLL_MS = 500
_RECONNECT_MS = 1_000
"""Maximum wait between two attempts to reach an unavailable broker; a ruleset published meanwhile takes effect ten
seconds later."""
_LOADING_DEADLINE_SECONDS = 60
_LONGEST_LOGGED = 2000


class RulesetsUnavailableError(RuntimeError):
    """The rulesets can't be read, so no payment can be judged; Flink restarts the task, which tries again."""


class Feed(Protocol):
    """The consumer for which versions are read."""

    def failed(self) -> None:
        """Report that new versions can't be read any more."""

    def is_wanted(self) -> bool:
        """Return whether it still runs; `close` isn't called for a task that fails or is cancelled."""


class Rulesets(Protocol):
    """A source of rulesets that can be serialised and sent to where payments are judged."""

    def open(self, history: RulesetHistory, feed: Feed) -> None:
        """Load all existing versions, and add new ones to the history until `close`, or until the feed isn't wanted."""

    def close(self) -> None:
        """Stop reading new versions."""

    def check(self) -> None:
        """Raise an error if new versions can't be read any more."""


class FixedRulesets:
    """Rulesets that are known beforehand: for tests, and for judging replayed payments by chosen rules."""

    def __init__(self, *rulesets: Ruleset) -> None:
        self._rulesets = rulesets

    def open(self, history: RulesetHistory, _feed: Feed) -> None:
        for ruleset in self._rulesets:
            history.add(ruleset)

    def close(self) -> None:
        """Do nothing: nothing runs."""

    def check(self) -> None:
        """Do nothing: nothing can fail."""


class KafkaRulesets:
    """Rulesets of a topic. It has one partition, since versions have one order."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._stop: threading.Event | None = None
        self._follower: threading.Thread | None = None
        self._failure: Exception | None = None

    def open(self, history: RulesetHistory, feed: Feed) -> None:
        """Load every version that is in the topic now, then follow it in a thread.

        Raises:
            RulesetsUnavailableError: Kafka doesn't answer, or no valid ruleset was ever published.
        """
        consumer = self._connect()
        try:
            self._load(consumer, history)
        except BaseException:
            consumer.close()
            raise
        self._stop = threading.Event()
        self._follower = threading.Thread(
            target=self._follow, args=(consumer, history, self._stop, feed), name=f"follow-{self._topic}", daemon=True
        )
        self._follower.start()

    def close(self) -> None:
        if self._stop is not None and self._follower is not None:
            self._stop.set()
            self._follower.join(timeout=10)

    def check(self) -> None:
        if self._failure is not None:
            raise RulesetsUnavailableError(f"topic {self._topic} can't be followed any more: {self._failure}")

    def _connect(self) -> KafkaConsumer:
        try:
            return KafkaConsumer(
                bootstrap_servers=self._bootstrap_servers.split(","),
                reconnect_backoff_max_ms=_RECONNECT_MS,
                client_id=f"rulesets-{self._topic}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
        except KafkaError as error:
            raise RulesetsUnavailableError(f"no Kafka at {self._bootstrap_servers}: {error}") from error

    def _load(self, consumer: KafkaConsumer, history: RulesetHistory) -> None:
        try:
            for record in records_to_end(consumer, self._topic):
                _take(record, history)
        except (KafkaError, TimeoutError) as error:
            raise RulesetsUnavailableError(f"topic {self._topic} can't be read: {error}") from error
        if not len(history):
            raise RulesetsUnavailableError(
                f"topic {self._topic} holds no valid ruleset: publish one with `python -m ops rulesets publish`"
            )

    def _follow(self, consumer: KafkaConsumer, history: RulesetHistory, stop: threading.Event, feed: Feed) -> None:
        try:
            while not stop.is_set() and feed.is_wanted():
                for record in _poll(consumer):
                    _take(record, history)
        except Exception as error:  # noqa: BLE001 - handed to the thread that judges, which fails the task
            self._failure = error
            feed.failed()
        finally:
            consumer.close()


def records_to_end(consumer: KafkaConsumer, topic: str) -> Iterator[ConsumerRecord]:
    """Yield every record that is in partition 0 of the topic now; the consumer's position is behind them afterwards.

    Raises:
        TimeoutError: the end was not reached within a minute.
        KafkaError: Kafka refuses.
    """
    partition = TopicPartition(topic, 0)
    deadline = time.monotonic() + _LOADING_DEADLINE_SECONDS
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    while consumer.position(partition) < end:
        yield from _poll(consumer)
        if time.monotonic() > deadline:
            raise TimeoutError(f"not read to its end within {_LOADING_DEADLINE_SECONDS} s")


def _poll(consumer: KafkaConsumer) -> Iterator[ConsumerRecord]:
    try:
        found = consumer.poll(timeout_ms=_POLL_MS)
    except RetriableError:  # sometimes raised while the brokers are unavailable, instead of returning none
        time.sleep(_POLL_MS / 1000)
        return
    for records in found.values():
        yield from records


def _take(record: ConsumerRecord, history: RulesetHistory) -> None:
    try:
        history.add_published(record.value)
    except RulesetError as error:
        # Earlier versions stay in force: an invalid one must not stop the job.
        place = f"{record.topic}-{record.partition}@{record.offset}"
        log.error("ignoring the ruleset at %s: %s", place, str(error)[:_LONGEST_LOGGED])
