"""Reads rulesets from their topic: all versions before the first payment, new ones afterwards."""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from connectors.kafka.client import client_options
from connectors.kafka.reading import POLL_MS, TopicReader

log = logging.getLogger(__name__)

_AWAY_SECONDS = 60.0
"""Maximum wait for Kafka while the versions are loaded; then the task fails, and Flink starts it again."""


class RulesetsUnavailableError(RuntimeError):
    """The rulesets can't be read, so no payment can be judged; Flink restarts the task, which tries again."""


class History(Protocol):
    """The versions that payments are judged by: `udfs.fraud.rules.RulesetHistory`."""

    def __len__(self) -> int: ...

    def add_published(self, value: bytes | None, place: str) -> None: ...


class RulesetListener(Protocol):
    """The consumer for which versions are read: `udfs.fraud.ruleset_sources.RulesetListener`."""

    def failed(self) -> None: ...

    def is_wanted(self) -> bool: ...


class KafkaRulesets:
    """Rulesets of a topic. It has one partition, since versions have one order."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._stop: threading.Event | None = None
        self._follower: threading.Thread | None = None
        self._failure: Exception | None = None

    def open(self, history: History, listener: RulesetListener) -> None:
        """Load every version that is in the topic now, then follow it in a thread.

        Raises:
            RulesetsUnavailableError: Kafka doesn't answer, or no valid ruleset was ever published.
        """
        consumer = self._connect()
        try:
            reader = self._load(consumer, history)
        except BaseException:
            consumer.close()
            raise
        self._stop = threading.Event()
        self._follower = threading.Thread(
            target=self._follow, args=(reader, history, self._stop, listener), name=f"follow-{self._topic}", daemon=True
        )
        self._follower.start()

    def close(self) -> None:
        """Stop reading new versions."""
        if self._stop is not None and self._follower is not None:
            self._stop.set()
            self._follower.join(timeout=10)

    def check(self) -> None:
        """Raise an error if new versions can't be read any more."""
        if self._failure is not None:
            raise RulesetsUnavailableError(f"topic {self._topic} can't be followed any more: {self._failure}")

    def _connect(self) -> KafkaConsumer:
        try:
            return KafkaConsumer(
                **client_options(self._bootstrap_servers),
                client_id=f"rulesets-{self._topic}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
        except KafkaError as error:
            raise RulesetsUnavailableError(f"no Kafka at {self._bootstrap_servers}: {error}") from error

    def _load(self, consumer: KafkaConsumer, history: History) -> TopicReader:
        try:
            reader = TopicReader(consumer, [TopicPartition(self._topic, 0)], log.warning)
            for records in reader.read_to(reader.ends(), _AWAY_SECONDS):
                _add(records, history)
        except KafkaError as error:
            raise RulesetsUnavailableError(f"topic {self._topic} can't be read: {error}") from error
        if not len(history):
            raise RulesetsUnavailableError(
                f"topic {self._topic} holds no valid ruleset: publish one with `python -m ops rulesets publish`"
            )
        return reader

    def _follow(self, reader: TopicReader, history: History, stop: threading.Event, listener: RulesetListener) -> None:
        try:
            while not stop.is_set() and listener.is_wanted():
                _add(reader.poll(POLL_MS), history)
        except Exception as error:  # noqa: BLE001 - passed to the thread that judges, which fails the task
            self._failure = error
            listener.failed()
        finally:
            reader.close()


def _add(records: Sequence[ConsumerRecord], history: History) -> None:
    for record in records:
        history.add_published(record.value, f"{record.topic}-{record.partition}@{record.offset}")
