"""How is a topic read from the beginning, to an end that moves on? In stretches, of what is committed."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition

from connectors.kafka.client import poll
from connectors.settings import Settings
from ops.command_group import kafka_client
from ops.topics.records import Silence

BATCH_RECORDS = 5_000


class Replay:
    """Remembers how far it has read; commits nothing."""

    def __init__(self, settings: Settings, topic: str, begin: Mapping[int, int] | None = None) -> None:
        """At the first records that there are, or at these offsets by partition.

        Raises:
            LookupError: there is no such topic.
            ConnectionError: no broker answers.
        """
        self._consumer = kafka_client(
            settings,
            KafkaConsumer,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # where retention has taken what was to come next
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
        """The next offset of each partition."""
        return {each.partition: self._consumer.position(each) for each in self._partitions}

    def ends(self) -> dict[int, int]:
        """What is committed now ends before these offsets."""
        return {each.partition: end for each, end in self._consumer.end_offsets(self._partitions).items()}

    def read_to(self, ends: Mapping[int, int]) -> Iterator[Sequence[Any]]:
        """Batches of records, in the order of each partition, until all before these offsets were handed out.

        Raises:
            KafkaTimeoutError: nothing comes any more, though it should.
        """
        silence = Silence(self._settings, self._topic)
        while missing(self.reached(), ends):
            records = [each for batch in poll(self._consumer, timeout_ms=500).values() for each in batch]
            silence.note(is_silent=not records)
            if records:
                yield records


def missing(reached: Mapping[int, int], ends: Mapping[int, int]) -> int:
    """How many offsets are still to be read; each transaction takes up one or two."""
    return sum(max(0, end - reached[number]) for number, end in ends.items())
