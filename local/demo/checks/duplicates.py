"""Checks that a restart of a job explains each duplicate in a topic. Knows no Kafka."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from local.demo.checks.finding import Finding
from local.demo.results.observer import Observed
from local.demo.submitted_jobs import CHECKPOINT_SECONDS
from ops.jobs.cluster_jobs import Restarts

SLACK_MS = 60_000
"""Tolerance for a checkpoint that is late, and for an observer delayed by a broker's outage."""
REPEATED_MS = CHECKPOINT_SECONDS * 1_000 + SLACK_MS
"""Maximum time before a restart whose records the restart repeats."""


def finding(observed: Observed, restarts: Mapping[str, Restarts]) -> Finding:
    """Check that each restart repeats an event at most once, and only events that were written shortly before it.

    Args:
        restarts: by name of each program that is a job. Others, such as the notifier, repeat what they aren't sure of.
    """
    duplicates: Counter[tuple[str, str]] = Counter()
    unexplained = []
    for (program, topic, identity), times in observed.seen_at_ms.items():
        duplicates[topic, program] += len(times) - 1
        if program in restarts and not _explain(restarts[program], times):
            unexplained.append(f"{identity} in {topic}, {len(times)} times")
    shown = [
        f"{count:,} in {topic} by {program}"
        + (f" ({restarts[program].number} restarts)" if program in restarts else "")
        for (topic, program), count in sorted(duplicates.items())
        if count
    ]
    wrong = f"; unexplained: {unexplained[0]}" if unexplained else ""
    return Finding(
        "what is written twice, a restart has repeated",
        f"{', '.join(shown) or 'no duplicates'}{wrong}",
        not unexplained,
    )


def _explain(restarts: Restarts, times: Sequence[float]) -> bool:
    """Return whether each record but the first follows a restart of its own.

    Args:
        times: at which the same event was observed, ascending, in UTC milliseconds.
    """
    failures = sorted(failure.at.timestamp() * 1000 for failure in restarts.failures)
    forgotten = restarts.number - len(failures)
    oldest = failures[0] if failures else float("inf")
    for first, again in pairwise(times):
        cause = next((at for at in failures if first - SLACK_MS <= at <= min(again, first + REPEATED_MS)), None)
        if cause is not None:
            failures.remove(cause)
        elif forgotten > 0 and first < oldest:  # Flink remembers only the last failures
            forgotten -= 1
        else:
            return False
    return True
