"""Measures of Flink's jobs: whether they run, fail, complete checkpoints, and keep up with their work."""

from collections.abc import Iterator
from itertools import takewhile

from jobs.flow import JOBS, PIPELINES, consumers
from ops.formats import utc
from ops.health.answers.cluster import BACK_PRESSURED, BUSY, RECORDS_IN
from ops.health.check import Reading
from ops.health.scope import Scope
from ops.jobs.cluster_jobs import RECENT

LEAST_RECORDS_A_SECOND = 50.0
"""Rate of a vertex below which its subtasks aren't compared: a few records are never spread evenly."""
LEAST_STATE_BYTES = 50_000_000
"""Size of a state below which its growth doesn't matter."""
LEAST_MEDIAN_BYTES = 1_000_000
"""Smallest median that a state is compared with."""
LEAST_CHECKPOINTS = 30
"""Number of checkpoints below which there is no median to compare with."""
LONGEST_CAUSE = 300
"""Maximum length of a cause in characters."""
STATES_OF_MEMBERS = ("Stable", "PreparingRebalance", "CompletingRebalance")
"""States of a consumer group that has members."""


def missing(scope: Scope) -> Iterator[Reading]:
    """Yield 1 for each program that has a consumer group but doesn't run, otherwise 0."""
    lost = {job.note.name: job for job in scope.lost_jobs}
    latest = {job.name: job for job in reversed(scope.jobs)}
    others = {program.name for program in consumers() if program not in (*JOBS, *PIPELINES)}
    groups = {group.name: group for group in scope.brokers.groups}
    for name in sorted(lost.keys() | latest.keys() | groups.keys()):
        if name in others:
            state = groups[name].state
            yield Reading(name, int(state not in STATES_OF_MEMBERS), f"its consumer group is {state or 'unknown'}")
        elif name in latest and not latest[name].has_ended:
            yield Reading(name, 0, f"{latest[name].state}, since {utc(latest[name].started_at)}")
        elif name in lost:
            yield Reading(name, 1, f"the JobManager lost it; {lost[name].command}")
        elif name in latest:
            yield Reading(name, 1, f"it is {latest[name].state}")
        else:
            yield Reading(name, 1, "it has a consumer group, but the cluster doesn't know it")


def interrupted(scope: Scope) -> Iterator[Reading]:
    """Yield for how many seconds tasks of a job have not been running."""
    for live in scope.live_jobs:
        job = live.job
        if live.runs:
            yield Reading(job.name, 0, job.state)
        else:
            seconds = max(1.0, (scope.now - live.since).total_seconds())
            cause = _first_line(live.restarts.failures[0].cause) if live.restarts.failures else "no failure is known"
            yield Reading(
                job.name, seconds, f"{job.state}, {live.waiting_tasks} of {job.tasks} tasks don't run; {cause}"
            )


def restarted(scope: Scope) -> Iterator[Reading]:
    """Yield the number of failures of each job in the last minutes, with the last cause."""
    for live in scope.live_jobs:
        failures = [each for each in live.restarts.failures if scope.now - each.at <= RECENT]
        last = f"last at {utc(failures[0].at)}: {_first_line(failures[0].cause)}" if failures else ""
        yield Reading(live.job.name, len(failures), last)


def checkpoint_age(scope: Scope) -> Iterator[Reading]:
    """Yield the seconds of work that each job would do again after a failure."""
    for each in scope.checkpoints:
        yield Reading(
            each.job.job.name, max(0.0, (scope.now - each.last).total_seconds()), f"the last is of {utc(each.last)}"
        )


def checkpoint_duration(scope: Scope) -> Iterator[Reading]:
    """Yield the share of the timeout that the last checkpoint took, or that the one under way has taken so far."""
    for each in scope.checkpoints:
        under_way = [one for one in each.history if one.status == "IN_PROGRESS"]
        completed = [one for one in each.history if one.status == "COMPLETED"][:1]
        durations = [(scope.now - one.triggered_at).total_seconds() for one in under_way]
        longest = max([0.0, *durations, *(one.seconds for one in completed)])
        yield Reading(
            each.job.job.name,
            longest / each.timeout_seconds,
            f"{longest:.1f} s of {each.timeout_seconds:.0f} s",
        )


def checkpoint_failures(scope: Scope) -> Iterator[Reading]:
    """Yield how many checkpoints of each job have failed in a row."""
    for each in scope.checkpoints:
        ended = [one for one in each.history if one.status != "IN_PROGRESS"]
        failed = list(takewhile(lambda one: one.status == "FAILED", ended))
        yield Reading(each.job.job.name, len(failed), _first_line(failed[0].failure) if failed else "")


def checkpoint_growth(scope: Scope) -> Iterator[Reading]:
    """Yield the size of each job's state as a multiple of its median; leave out small states and new jobs."""
    for each in scope.checkpoints:
        if each.completed >= LEAST_CHECKPOINTS and each.state_bytes >= LEAST_STATE_BYTES:
            median = max(each.median_state_bytes, LEAST_MEDIAN_BYTES)
            last, usual = each.state_bytes / 1e6, each.median_state_bytes / 1e6
            detail = f"{last:,.0f} MB in the last checkpoint, {usual:,.1f} MB is the median of {each.completed:,}"
            yield Reading(each.job.job.name, each.state_bytes / median, detail)


def busy(scope: Scope) -> Iterator[Reading]:
    """Yield the share of its time that the busiest step of each job works."""
    yield from _highest(scope, BUSY)


def back_pressured(scope: Scope) -> Iterator[Reading]:
    """Yield the share of its time that a step of each job waits for the step after it, of the one that waits most."""
    yield from _highest(scope, BACK_PRESSURED)


def skew(scope: Scope) -> Iterator[Reading]:
    """Yield the rate of the subtask that gets most records, as a multiple of the average of its step."""
    for tasks in scope.tasks:
        rate = tasks.metrics.get(RECORDS_IN)
        if rate and tasks.vertex.parallelism > 1 and rate.total >= LEAST_RECORDS_A_SECOND:
            detail = f"{rate.highest:,.0f} records/s on one subtask, {rate.average:,.0f} on average"
            yield Reading(f"{tasks.job.job.name}: {tasks.vertex.in_short}", rate.highest / rate.average, detail)


def _highest(scope: Scope, metric: str) -> Iterator[Reading]:
    by_job: dict[str, Reading] = {}
    for tasks in scope.tasks:
        if spread := tasks.metrics.get(metric):
            name = tasks.job.job.name
            found = Reading(name, spread.highest / 1000, tasks.vertex.in_short)
            by_job[name] = max(by_job.get(name, found), found, key=lambda reading: reading.value)
    yield from by_job.values()


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:LONGEST_CAUSE]
