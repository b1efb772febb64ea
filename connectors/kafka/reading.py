"""Reading of topics to the ends that they have at some moment, also through the outage of a broker."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError

from connectors.kafka.client import kafka_client, poll
from connectors.outage import Outage, Report, report_on_stderr
from connectors.settings import Settings

POLL_MS = 500
BATCH_RECORDS = 5_000
SILENT_SECONDS = 5.0
"""A broker that sends nothing for this many seconds, though there is more to read, is reported as unavailable."""
OUTAGE_SECONDS = 180.0
"""Maximum wait for the next records while a broker is unavailable, in seconds."""
SECONDS_BETWEEN_REPORTS = 5.0

Offsets = Mapping[TopicPartition, int]


class TopicReader:
    """Position of a consumer without a group in some partitions; a context manager, which closes the consumer.

    Args:
        consumer: reads nothing else from now on.
        report: gets a line each second while a broker sends nothing although there is more to read.
    """

    def __init__(
        self, consumer: KafkaConsumer, partitions: Iterable[TopicPartition], report: Report = report_on_stderr
    ) -> None:
        """Start at the first existing records."""
        self._consumer, self._report = consumer, report
        self._partitions = sorted(partitions)
        consumer.assign(self._partitions)
        self._first = consumer.beginning_offsets(self._partitions)
        self.seek(self._first)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def seek(self, offsets: Offsets) -> None:
        """Continue at these offsets, or at the first existing record where it is behind them.

        Those of partitions that no longer exist are ignored: a topic may have been created again with fewer.
        """
        for partition in self._first.keys() & offsets.keys():
            self._consumer.seek(partition, max(self._first[partition], offsets[partition]))

    def reached(self) -> dict[TopicPartition, int]:
        """Return the next offset of each partition."""
        return {each: self._consumer.position(each) for each in self._partitions}

    def ends(self) -> dict[TopicPartition, int]:
        """Return the end offset of each partition: all that is committed now is before it."""
        return dict(self._consumer.end_offsets(self._partitions))

    def missing(self, ends: Offsets) -> int:
        """Return how many offsets are still to be read; each transaction takes up one or two."""
        reached = self.reached()
        return sum(max(0, end - reached[each]) for each, end in ends.items())

    def poll(self, timeout_ms: int) -> list[ConsumerRecord]:
        """Return the records that come within `timeout_ms`; none while the brokers are unavailable."""
        return [record for batch in poll(self._consumer, timeout_ms).values() for record in batch]

    def read_to(self, ends: Offsets, outage_seconds: float = OUTAGE_SECONDS) -> Iterator[Sequence[ConsumerRecord]]:
        """Yield batches of records, in the order of each partition, up to these offsets.

        Args:
            outage_seconds: maximum wait for a batch.

        Raises:
            KafkaTimeoutError: no record comes although there are more.
        """
        outage: Outage | None = None
        while self.missing(ends):
            records = self.poll(POLL_MS)
            if records:
                if outage:
                    outage.over()
                outage = None
                yield records
                continue
            outage = outage or Outage(self._broker, self._report, SILENT_SECONDS)
            if outage.seconds > outage_seconds:
                topics = ", ".join(sorted({each.topic for each in ends}))
                raise KafkaTimeoutError(f"{topics} can't be read to the end: nothing came for {outage_seconds:.0f} s")
            outage.report()

    @property
    def _broker(self) -> str:
        return f"the Kafka broker at {','.join(self._consumer.config['bootstrap_servers'])}"


def topic_reader(settings: Settings, topic: str) -> TopicReader:
    """Open a reader of a topic's committed records, at the first of them.

    Raises:
        LookupError: the topic does not exist.
        ConnectionError: no broker answers.
    """
    consumer = kafka_client(
        settings,
        KafkaConsumer,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",  # where retention has deleted the next records
        max_poll_records=BATCH_RECORDS,
    )
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise LookupError(
                f"there is no topic {topic!r} at {settings.kafka_bootstrap_servers}: `python -m ops topics apply` "
                "makes those that are declared"
            )
        return TopicReader(consumer, [TopicPartition(topic, number) for number in numbers])
    except BaseException:
        consumer.close()
        raise


def committed_records(settings: Settings, topic: str, latest: int | None = None) -> Iterator[ConsumerRecord]:
    """Yield the records that are in a topic now, in the order of each partition; report on stderr how far it is read.

    Args:
        latest: only those among about this many offsets at the ends of the partitions; transactions take up some.

    Raises:
        LookupError: the topic does not exist.
        ConnectionError, KafkaTimeoutError: no broker answers, or it sends nothing for too long.
    """
    with topic_reader(settings, topic) as reader:
        ends = reader.ends()
        if latest is not None:
            reader.seek({each: end - max(1, latest // len(ends)) for each, end in ends.items()})
        total, next_report = reader.missing(ends), time.monotonic() + SECONDS_BETWEEN_REPORTS
        for records in reader.read_to(ends):
            yield from records
            if time.monotonic() > next_report and (missing := reader.missing(ends)):
                next_report = time.monotonic() + SECONDS_BETWEEN_REPORTS
                report_on_stderr(f"{topic}: {1 - missing / total:.0%} is read")
