"""Records that are in a topic twice: a job's restart must explain each copy. Knows no Kafka."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from local.demo.checks.proof import Finding
from local.demo.figures.observer import Observed
from local.demo.jobs_under_way import CHECKPOINT_SECONDS
from ops.jobs.jobs import Restarts

SLACK_MS = 60_000
"""For a checkpoint that is late, and for an observer that a broker's outage holds up."""
REPEATED_MS = CHECKPOINT_SECONDS * 1_000 + SLACK_MS
"""A restart repeats at most what was written for that long before it."""


def finding(observed: Observed, restarts: Mapping[str, Restarts]) -> Finding:
    """Each restart writes each event once more at most, and only events that were written shortly before it.

    Args:
        restarts: by name of each box that is a job. Others, such as the notifier, write again what they aren't sure of.
    """
    copies: Counter[tuple[str, str]] = Counter()
    unexplained = []
    for (box, topic, identity), times in observed.seen_at_ms.items():
        copies[topic, box] += len(times) - 1
        if box in restarts and not _explain(restarts[box], times):
            unexplained.append(f"{identity} in {topic}, {len(times)} times")
    shown = [
        f"{count:,} in {topic} by {box}" + (f" ({restarts[box].number} restarts)" if box in restarts else "")
        for (topic, box), count in sorted(copies.items())
        if count
    ]
    wrong = f"; unexplained: {unexplained[0]}" if unexplained else ""
    return Finding(
        "what is written twice, a restart has repeated", f"{', '.join(shown) or 'no copies'}{wrong}", not unexplained
    )


def _explain(restarts: Restarts, times: Sequence[float]) -> bool:
    """Whether each record but the first follows a restart of its own.

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
        elif forgotten > 0 and first < oldest:  # Flink remembers only the last ones
            forgotten -= 1
        else:
            return False
    return True
