"""Reads a topic's committed records up to its end at the start of reading."""

from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from connectors.kafka.client import kafka_client, poll
from connectors.outage import Outage, report_on_stderr
from connectors.settings import Settings

AWAY_SECONDS = 180
"""Maximum wait for the next records while a broker is unavailable, in seconds."""
SILENT_SECONDS = 5.0
"""A broker that sends nothing for this many seconds, though there is more to read, is reported as unavailable."""


def committed_records(settings: Settings, topic: str, latest: int | None = None) -> Iterator[Any]:
    """Yield records in the order of each partition; report on stderr if the broker sends none for some seconds.

    Args:
        latest: only those among about this many offsets at the ends of the partitions; transactions take up some.

    Raises:
        LookupError: the topic does not exist.
        ConnectionError: no broker answers.
    """
    consumer = kafka_client(settings, KafkaConsumer, enable_auto_commit=False, isolation_level="read_committed")
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            raise LookupError(f"there is no topic {topic!r} at {settings.kafka_bootstrap_servers}")
        consumer.assign(partitions)
        first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        for each in partitions:
            from_end = first[each] if latest is None else end[each] - max(1, latest // len(partitions))
            consumer.seek(each, max(first[each], from_end))
        silence = Silence(settings, topic)
        while any(consumer.position(each) < end[each] for each in partitions):
            found = poll(consumer, timeout_ms=500)
            silence.note(is_silent=not found)
            for records in found.values():
                yield from records
    finally:
        consumer.close()


class Silence:
    """Reports on stderr while a broker doesn't send records that are known to exist."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._broker, self._topic = f"the Kafka broker at {settings.kafka_bootstrap_servers}", topic
        self._outage: Outage | None = None

    def note(self, *, is_silent: bool) -> None:
        """Note whether the last poll returned nothing.

        Raises:
            KafkaTimeoutError: nothing has come for too long.
        """
        if not is_silent:
            if self._outage:
                self._outage.over()
            self._outage = None
            return
        self._outage = self._outage or Outage(self._broker, report_on_stderr, SILENT_SECONDS)
        if self._outage.seconds > AWAY_SECONDS:
            raise KafkaTimeoutError(f"{self._topic} can't be read to its end: nothing came for {AWAY_SECONDS} s")
        self._outage.report()
