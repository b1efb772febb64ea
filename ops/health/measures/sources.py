"""Measures of what jobs read: how far they are behind, what is late, and which transactions they wait for."""

from collections.abc import Iterator, Mapping

from kafka import TopicPartition

from connectors.kafka.topics import DEAD_LETTERS, LETTER_TOPICS, TOPICS
from jobs.flow import PROGRAMS
from ops.formats import time_in_words
from ops.health.answers.brokers import NONE, Brokers, Group
from ops.health.answers.cluster import NO_WATERMARK, metric_name
from ops.health.check import Reading
from ops.health.scope import Scope

LEAST_COMMITS = 20
"""Number of commits below which a share of them says nothing: a broker that restarts makes a few fail."""


def lag_in_records(scope: Scope) -> Iterator[Reading]:
    """Yield the number of unread records of each consumer group and topic."""
    for group, topic, partitions in _read(scope.brokers):
        behind = {
            each.partition: scope.brokers.ends[each] - group.committed[each]
            for each in partitions
            if each in group.unread_since
        }
        most = max(behind, key=lambda number: behind[number], default=None)
        detail = "" if most is None else f"{behind[most]:,} of them in partition {most}"
        yield Reading(f"{group.name}: {topic}", sum(behind.values()), detail)


def lag_in_seconds(scope: Scope) -> Iterator[Reading]:
    """Yield the age of the first unread record of each consumer group and topic; 0 if all is read."""
    for group, topic, partitions in _read(scope.brokers):
        since = {each.partition: group.unread_since[each] for each in partitions if each in group.unread_since}
        oldest = min(since, key=lambda number: since[number], default=None)
        if oldest is None:
            yield Reading(f"{group.name}: {topic}", 0, "all is read")
        else:
            seconds = max(0.0, (scope.now_ms - since[oldest]) / 1000)
            detail = f"partition {oldest}: the first unread record is of {time_in_words(since[oldest])}"
            yield Reading(f"{group.name}: {topic}", seconds, detail)


def event_time(scope: Scope) -> Iterator[Reading]:
    """Yield how far the event time of each source subtask is behind the newest record of its partitions, in seconds.

    Not behind the current time: where no records come, event time rightly stands still.
    """
    known = {metric_name(each.topic, each.partition): each for each in scope.brokers.newest}
    for tasks in scope.tasks:
        for source in tasks.watermarks:
            partitions = [known[name] for name in source.partitions if name in known]
            newest = max((scope.brokers.newest[each] for each in partitions), default=NONE)
            if source.emitted == NO_WATERMARK or newest == NONE:
                continue
            behind = (min(newest, scope.now_ms) - source.emitted) / 1000
            topics = ", ".join(sorted({each.topic for each in partitions}))
            yield Reading(
                f"{tasks.job.job.name}: {topics}, subtask {source.subtask}",
                max(0.0, behind),
                f"event time is {time_in_words(source.emitted)}{_slowest(source.partitions)}",
            )


def failed_commits(scope: Scope) -> Iterator[Reading]:
    """Yield the share of the commits of offsets that failed, of each source since its last start."""
    for tasks in scope.tasks:
        commits = tasks.commits + tasks.failed_commits
        if commits >= LEAST_COMMITS:
            detail = f"{tasks.failed_commits:,} of {commits:,} commits failed"
            yield Reading(f"{tasks.job.job.name}: {tasks.vertex.in_short}", tasks.failed_commits / commits, detail)


def late_share(scope: Scope) -> Iterator[Reading]:
    """Yield the share of late records among those of the last hour, of each topic that has late ones apart."""
    writers = {topic.name: program for program in PROGRAMS for topic in program.writes}
    for name in LETTER_TOPICS:
        if name == DEAD_LETTERS.name or name not in scope.brokers.topics:
            continue
        late = scope.brokers.recent_records(name)
        read = sum(scope.brokers.recent_records(topic.name) for topic in writers[name].reads)
        yield Reading(name, late / max(late, read, 1), f"{late:,} late of {read:,} records in an hour")


def open_transactions(scope: Scope) -> Iterator[Reading]:
    """Yield for how many seconds the oldest transaction in each topic has been open, of topics that have one."""
    for topic in TOPICS:
        if found := [each for each in scope.transactions if each.numbers(topic.name)]:
            oldest = min(found, key=lambda each: each.since)
            partitions = ", ".join(f"partition {number}" for number in oldest.numbers(topic.name))
            detail = f"{oldest.id} is open since {time_in_words(oldest.since)}, in {partitions}"
            yield Reading(topic.name, max(0.0, (scope.now_ms - oldest.since) / 1000), detail)


def _read(brokers: Brokers) -> Iterator[tuple[Group, str, list[TopicPartition]]]:
    """Yield what each group reads, a topic at a time."""
    for group in brokers.groups:
        for topic in sorted({each.topic for each in group.committed}):
            yield group, topic, [each for each in sorted(group.committed) if each.topic == topic]


def _slowest(partitions: Mapping[str, int]) -> str:
    """Return which partition holds back event time; a partition without a record has no watermark, and holds nothing
    back once it is idle."""
    started = {name: watermark for name, watermark in partitions.items() if watermark != NO_WATERMARK}
    slowest = min(started, key=lambda name: started[name], default=None)
    return "" if slowest is None else f"; {slowest} is the last, at {time_in_words(started[slowest])}"
