"""Restarts of jobs that no kill explains."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ops.jobs.cluster_jobs import Failure

EXPLAINED_WITHIN = timedelta(seconds=90)
"""Longest time from a kill to the last restart that it causes: the service's absence, its start, and time-outs."""


def unexplained(killed_at: Sequence[datetime], failures: Mapping[str, Sequence[Failure]]) -> list[str]:
    """Describe each restart that has no kill shortly before it.

    Args:
        killed_at: time of each kill.
        failures: what each job was restarted for, by its name.
    """
    return [
        f"{job} restarted at {failure.at:%H:%M:%S} UTC, with no kill in the {EXPLAINED_WITHIN.seconds} s before: "
        f"{first_line(failure)}"
        for job, its_failures in failures.items()
        for failure in its_failures
        if not any(timedelta() <= failure.at - at <= EXPLAINED_WITHIN for at in killed_at)
    ]


def first_line(failure: Failure) -> str:
    """Return the first line of a failure's cause."""
    return failure.cause.partition("\n")[0]
