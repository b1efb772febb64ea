"""What Kafka and Flink answer about the frontier: ends of topics, unread records, watermarks."""

import re
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from connectors.kafka.client import poll
from connectors.kafka.reading import BATCH_RECORDS
from connectors.settings import Settings
from ops.frontier.arithmetic import Earliest, NotYetError, UnknownError
from ops.frontier.arrows import SOURCE_TIMES
from ops.frontier.contained import Attempt, Reading
from ops.health.answers.brokers import Offsets, quick_client
from ops.health.answers.cluster import OUTPUT_WATERMARK, Checkpoints, metric_values
from ops.jobs.flink_rest import ask

MOST_UNREAD = 20_000
"""Maximum number of offsets of a partition that are read at once: more take too long."""
READ_SECONDS = 10.0
"""Maximum time in which the unread records of all partitions arrive."""
POLL_MS = 300

_WATERMARK = re.compile(rf"(?P<subtask>\d+)\.(?P<step>.+)\.{OUTPUT_WATERMARK}")
_AGE = re.compile(r"(?P<subtask>\d+)\.accumulate(?:Idle|Busy|BackPressured)TimeMs")
"""Times that add up to the age of a task."""


@dataclass(frozen=True)
class Ends:
    """Ends of partitions at one moment, with the records of open transactions."""

    offsets: Offsets
    newest: Offsets
    """Largest timestamp of a record in UTC milliseconds, or -1 if there is none."""


def ends(settings: Settings, partitions: Collection[TopicPartition]) -> Ends:
    """Ask for the ends of partitions.

    Raises:
        ConnectionError: no broker answers.
        KafkaError: a broker refuses, or doesn't answer in time.
    """
    with closing(quick_client(settings, KafkaAdminClient)) as admin:
        # The ends come last: a record that arrives in between isn't the newest, but unread.
        newest, latest = (
            admin.list_partition_offsets(dict.fromkeys(partitions, spec), IsolationLevel.READ_UNCOMMITTED)
            for spec in (OffsetSpec.MAX_TIMESTAMP, OffsetSpec.LATEST)
        )
    return Ends(
        {partition: each.offset for partition, each in latest.items()},
        {partition: each.timestamp for partition, each in newest.items()},
    )


def log_reader(settings: Settings) -> Any:
    """Open a consumer without a group that also reads the records of open transactions.

    Raises:
        ConnectionError: no broker answers.
    """
    return quick_client(
        settings,
        KafkaConsumer,
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        auto_offset_reset="earliest",
        max_poll_records=BATCH_RECORDS,
    )


@dataclass
class _Log:
    """Records of a partition from some offset on."""

    begin: int
    end: int
    times: Earliest = field(default_factory=Earliest)
    source_times: Earliest = field(default_factory=Earliest)

    def add(self, record: Any) -> None:
        self.times.add(record.offset, record.timestamp)
        self.source_times.add(record.offset, SOURCE_TIMES.get(record.topic, _own_time)(record))

    def go_on(self, begin: int) -> None:
        self.begin, self.end = begin, max(self.end, begin)
        self.times.forget(begin)
        self.source_times.forget(begin)


class UnreadRecords:
    """Earliest event times of records that may be unread; a record is read once, however often it is asked for.

    Records of open and of aborted transactions count as unread as long as an offset is before them: they are visible
    later, or never, and that isn't known.
    """

    def __init__(self) -> None:
        self._logs: dict[TopicPartition, _Log] = {}

    def read(self, consumer: Any, begins: Offsets, ends: Offsets) -> None:
        """Read each partition from the first of the offsets that will be asked for up to its end.

        Leaves out partitions with more than `MOST_UNREAD` new offsets, and what doesn't come in `READ_SECONDS`.
        """
        waiting = {each for each, begin in begins.items() if self._is_behind(each, begin, ends[each])}
        if not waiting:
            return
        consumer.assign(sorted(waiting))
        for partition in waiting:
            consumer.seek(partition, self._logs[partition].end)
        deadline = time.monotonic() + READ_SECONDS
        while waiting and time.monotonic() < deadline:
            for partition, records in poll(consumer, POLL_MS).items():
                for record in records:
                    self._logs[partition].add(record)
            for partition in set(waiting):
                log = self._logs[partition]
                log.end = max(log.end, consumer.position(partition))
                if log.end >= ends[partition]:
                    waiting.remove(partition)
                    consumer.pause(partition)

    def _is_behind(self, partition: TopicPartition, begin: int, end: int) -> bool:
        log = self._logs.get(partition)
        if log is None or begin < log.begin or log.end > end:  # unknown, read again, or made anew
            log = self._logs[partition] = _Log(begin, begin)
        log.go_on(begin)
        return log.end < end <= log.end + MOST_UNREAD

    def since(self, partition: TopicPartition, offset: int, end: int) -> tuple[int, int] | None:
        """Return the earliest event time of the records from an offset on, and that at the sources; None if there is
        no record.

        Raises:
            UnknownError: they were not read.
        """
        log = self._logs[partition]
        if log.end < end:
            raise UnknownError(
                f"partition {partition.partition} has up to {end - offset:,} unread records, more than are read at once"
            )
        event_time, source_time = log.times.since(offset), log.source_times.since(offset)
        return None if event_time is None or source_time is None else (event_time, source_time)


def _own_time(record: Any) -> int:
    return int(record.timestamp)


def reading(settings: Settings, found: Checkpoints, step: str) -> Reading:
    """Read the watermarks that some steps of a job have emitted.

    Args:
        found: the job, with its checkpoints.
        step: beginning of the names of the steps.

    Raises:
        NotYetError: the job doesn't run, has no checkpoints of its own, or Flink has no metrics of it yet.
        FlinkError: the cluster doesn't answer.
    """
    live = found.job
    # A job that was restored from an older savepoint begins before its group's offsets. The second checkpoint of its
    # own comes after the first has committed others.
    if not live.runs or found.completed < 2:
        raise NotYetError(f"the job is {live.job.state}, with {found.completed} checkpoints of its own")
    watermarks: dict[str, int] = {}
    ages: dict[str, str] = {}
    for vertex in live.vertices:
        if step not in vertex.name:
            continue
        path = f"jobs/{live.job.id}/vertices/{vertex.id}/metrics"
        # The ages come first: watermarks that are asked for later were measured with them, or after.
        of_tasks, of_steps = (metric_values(settings, path, (pattern,)) for pattern in (_AGE, _WATERMARK))
        parts = sorted((match["subtask"], value) for name, value in of_tasks.items() if (match := _AGE.fullmatch(name)))
        emitted = [
            (match["subtask"], name, int(value))
            for name, value in of_steps.items()
            if (match := _WATERMARK.fullmatch(name)) and match["step"].startswith(step)
        ]
        subtasks = {subtask for subtask, *_ in emitted} & {subtask for subtask, _ in parts}
        if len(subtasks) < vertex.parallelism:
            raise NotYetError("Flink has no watermarks of all its tasks yet")
        watermarks |= {f"{vertex.id} {name}": value for _, name, value in emitted}
        ages |= {f"{vertex.id} {each}": " ".join(v for subtask, v in parts if subtask == each) for each in subtasks}
    if not watermarks:
        raise UnknownError(f"the job has no step {step!r}")
    at = datetime.fromtimestamp(ask(settings, "GET", f"jobs/{live.job.id}")["now"] / 1000, UTC)
    return Reading(Attempt(live.job.id, live.since, found.restored), watermarks, ages, at)
