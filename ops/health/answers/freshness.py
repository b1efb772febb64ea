"""The first record of a topic that isn't in a sink yet: newer than everything that a reader finds there."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.kafka.reading import committed_records
from connectors.settings import Settings
from ops.health.answers.brokers import NONE, Brokers, Offsets, committed_reader, first_since, first_timestamps
from ops.health.answers.letters import Letters

EMPTY_REACHES_BACK = timedelta(hours=1)
"""What an empty sink should have: the records of this time. Earlier ones may be of before the sink was made."""
READ_OFFSETS = 1_000
"""Number of offsets at the end of an output topic that are read for its newest record: old ones may come last."""


@dataclass(frozen=True)
class Sink:
    """A place that has a row, a document or a record for each record of a topic, with its event time."""

    name: str
    program: str
    """Program that fills it."""
    topic: str
    """Topic that it is filled from."""
    newest: int | None
    """Newest event time that a reader finds, in UTC milliseconds; None if there is nothing."""
    keys: Collection[bytes] = ()
    """Keys of records that a reader finds: an input record of such a key is a duplicate."""
    output: str = ""
    """The topic that it is, if it is one."""


@dataclass(frozen=True)
class Missing:
    """How long a sink has lacked a record."""

    sink: Sink
    since: int | None = None
    """Event time of the first record that it lacks, in UTC milliseconds; None if it has everything."""
    seconds: float = 0
    """Age of that record, but no more than the event time from the newest one in the sink to the newest one of the
    topic: old records that come all at once are not late."""


def output_topic(settings: Settings, program: str, topic: str, output: str) -> Sink:
    """Read the newest records of a topic that has one for each record of another."""
    newest, keys = None, set()
    for record in committed_records(settings, output, READ_OFFSETS):
        newest = max(newest or 0, record.timestamp)
        keys.add(record.key)
    return Sink(output, program, topic, newest, keys, output)


def missing(
    settings: Settings, sinks: Sequence[Sink], brokers: Brokers, letters: Letters, now_ms: int
) -> Iterator[Missing]:
    """Yield for each sink how long it has lacked a record; one that its program rejected isn't expected.

    Raises:
        ConnectionError, KafkaError: a broker is unavailable.
    """
    if not sinks:
        return
    with closing(committed_reader(settings)) as consumer:
        for sink in sinks:
            rejected = letters.rejected.get((sink.program, sink.topic), ())
            since = _first_missing(consumer, sink, brokers.ends, rejected, now_ms)
            yield Missing(sink) if since is None else Missing(sink, since, _seconds(sink, since, brokers, now_ms))


def _first_missing(
    consumer: Any, sink: Sink, ends: Offsets, rejected: Collection[tuple[int, int]], now_ms: int
) -> int | None:
    after = now_ms - _milliseconds(EMPTY_REACHES_BACK) if sink.newest is None else sink.newest

    def is_missing(record: Any) -> bool:
        return (
            record.timestamp > after
            and record.value is not None
            and record.key not in sink.keys
            and (record.partition, record.offset) not in rejected
        )

    found = first_timestamps(consumer, first_since(consumer, sink.topic, after + 1, ends), ends, is_missing)
    since = min(found.values(), default=None)
    if since is None or not sink.output:
        return since
    # Corrections have the time of what they correct, so that the newest record need not be among the last.
    begin = first_since(consumer, sink.output, since, ends)
    return None if first_timestamps(consumer, begin, ends, lambda record: record.timestamp >= since) else since


def _seconds(sink: Sink, since: int, brokers: Brokers, now_ms: int) -> float:
    age = now_ms - since
    newest = max((time for each, time in brokers.newest.items() if each.topic == sink.topic), default=NONE)
    if sink.newest is not None and newest >= since:
        age = min(age, newest - sink.newest)
    return max(0.0, age / 1000)


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
