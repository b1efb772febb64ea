"""Reads a topic from the beginning, in stretches to an end that moves on; only committed records."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition

from connectors.kafka.client import kafka_client, poll
from connectors.settings import Settings
from ops.topics.records import Silence

BATCH_RECORDS = 5_000


class Replay:
    """Reads a topic and keeps its position; commits nothing."""

    def __init__(self, settings: Settings, topic: str, begin: Mapping[int, int] | None = None) -> None:
        """Start at the first existing records, or at these offsets by partition.

        Raises:
            LookupError: the topic does not exist.
            ConnectionError: no broker answers.
        """
        self._consumer = kafka_client(
            settings,
            KafkaConsumer,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # where retention has deleted the next records
            max_poll_records=BATCH_RECORDS,
        )
        self._settings, self._topic = settings, topic
        self._partitions = sorted(
            TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()
        )
        if not self._partitions:
            self._consumer.close()
            raise LookupError(f"there is no topic {topic!r} at {settings.kafka_bootstrap_servers}")
        self._consumer.assign(self._partitions)
        first = self._consumer.beginning_offsets(self._partitions)
        for each in self._partitions:
            self._consumer.seek(each, max(first[each], (begin or {}).get(each.partition, 0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._consumer.close()

    def reached(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        return {each.partition: self._consumer.position(each) for each in self._partitions}

    def ends(self) -> dict[int, int]:
        """Return the end offset of each partition: all that is committed now is before it."""
        return {each.partition: end for each, end in self._consumer.end_offsets(self._partitions).items()}

    def read_to(self, ends: Mapping[int, int]) -> Iterator[Sequence[Any]]:
        """Yield batches of records, in the order of each partition, up to these offsets.

        Raises:
            KafkaTimeoutError: no record comes although there are more.
        """
        silence = Silence(self._settings, self._topic)
        while missing(self.reached(), ends):
            records = [each for batch in poll(self._consumer, timeout_ms=500).values() for each in batch]
            silence.note(is_silent=not records)
            if records:
                yield records


def missing(reached: Mapping[int, int], ends: Mapping[int, int]) -> int:
    """Return how many offsets are still to be read; each transaction takes up one or two."""
    return sum(max(0, end - reached[number]) for number, end in ends.items())
