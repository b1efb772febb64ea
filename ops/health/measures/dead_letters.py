"""Measures of dead letters: how many come, what share of the records they are, and how many wait for a replay."""

from collections import Counter
from collections.abc import Iterator

from connectors.kafka.topics import DEAD_LETTERS
from ops.health.check import Reading
from ops.health.scope import Scope


def recent(scope: Scope) -> Iterator[Reading]:
    """Yield the number of dead letters of each job whose records are of the last hour."""
    number: Counter[str] = Counter()
    for (job, _), count in scope.letters.recent.items():
        number[job] += count
    for job, count in number.items():
        topics = [topic for rejected_by, topic in scope.letters.recent if rejected_by == job]
        most = max(topics, key=lambda topic: scope.letters.recent[job, topic])
        yield Reading(job, count, f"most of {most}: {scope.letters.reasons[job, most]}")


def share(scope: Scope) -> Iterator[Reading]:
    """Yield the share of a topic's records of the last hour that a job has rejected."""
    for (job, topic), count in scope.letters.recent.items():
        records = scope.brokers.recent_records(topic)
        detail = f"{count:,} of {records:,} records in an hour"
        yield Reading(f"{job}: {topic}", count / max(records, count), detail)


def waiting(scope: Scope) -> Iterator[Reading]:
    """Yield the number of dead letters that were not replayed, of each job and topic."""
    for (job, topic), count in scope.letters.waiting.items():
        yield Reading(f"{job}: {topic}", count)


def unreadable(scope: Scope) -> Iterator[Reading]:
    """Yield the number of records in the topic of dead letters that are none, so that no command can show them."""
    yield Reading(DEAD_LETTERS.name, scope.letters.unreadable)
