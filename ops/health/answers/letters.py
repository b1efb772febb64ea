"""Dead letters that came lately or wait for a replay, counted by job and topic."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.kafka.topics import DEAD_LETTERS
from connectors.settings import Settings
from events import DeadLetter
from ops.dead_letters.reading import DeadLetters, Selection, replays_so_far
from ops.health.answers.brokers import RECENT
from ops.masking import kind_of_reason, shown, shown_reason

LATEST = 50_000
"""Number of offsets at the end of the topic that are read: all, unless something is badly wrong."""
LAST = 5
"""Number of dead letters of a job that are known one by one."""

Source = tuple[str, str]
"""Job that rejected a record, and the record's topic."""


@dataclass(frozen=True)
class LastLetter:
    """A dead letter as it may be shown: without values of its record."""

    id: str
    event_time: int
    """Time of its record in UTC milliseconds."""
    reason: str


@dataclass(frozen=True)
class Letters:
    """Numbers of dead letters."""

    recent: Mapping[Source, int] = field(default_factory=dict)
    """Number of those whose records are of the last hour."""
    reasons: Mapping[Source, str] = field(default_factory=dict)
    """Most frequent kind of reason of these."""
    waiting: Mapping[Source, int] = field(default_factory=dict)
    """Number of those that were not replayed, whenever they came."""
    rejected: Mapping[Source, Collection[tuple[int, int]]] = field(default_factory=dict)
    """Partitions and offsets of the records that were rejected."""
    unreadable: int = 0
    """Number of records in the topic that are no dead letters."""
    last: Mapping[str, Sequence[LastLetter]] = field(default_factory=dict)
    """Those with the latest records, of each job, the latest first."""


def read_letters(settings: Settings, now: datetime) -> Letters:
    """Read the dead letters at the end of their topic.

    Raises:
        LookupError: the topic does not exist.
        ConnectionError, KafkaError: a broker is unavailable.
    """
    replays = replays_so_far(settings)
    unreadable: list[str] = []
    since = round((now - RECENT).timestamp() * 1000)
    recent: Counter[Source] = Counter()
    waiting: Counter[Source] = Counter()
    reasons: Counter[tuple[Source, str]] = Counter()
    rejected: defaultdict[Source, set[tuple[int, int]]] = defaultdict(set)
    latest: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for letter in DeadLetters(settings, DEAD_LETTERS.name, Selection(), replays, unreadable.append, LATEST):
        _keep_latest(latest[letter.rejected_by], letter)
        source = (letter.rejected_by, letter.source_topic)
        rejected[source].add((letter.source_partition, letter.source_offset))
        waiting[source] += replays.of(letter) is None
        if letter.event_time >= since:
            recent[source] += 1
            reasons[source, kind_of_reason(letter.reason)] += 1
    most_frequent = {source: reason for (source, reason), _ in reversed(reasons.most_common())}
    still_waiting = {each: count for each, count in waiting.items() if count}
    last = {
        job: [LastLetter(shown(id_), time, shown_reason(reason)) for time, id_, reason in sorted(some, reverse=True)]
        for job, some in latest.items()
    }
    return Letters(recent, most_frequent, still_waiting, dict(rejected), len(unreadable), last)


def _keep_latest(heap: list[tuple[int, str, str]], letter: DeadLetter) -> None:
    """Add time, id and reason of a dead letter to those of its job, unless there are enough with later records."""
    entry = (letter.event_time, letter.event_id, letter.reason)
    if len(heap) < LAST:
        heapq.heappush(heap, entry)
    else:
        heapq.heappushpop(heap, entry)
