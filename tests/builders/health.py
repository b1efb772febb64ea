"""Builders of checks, and of what they measure: jobs, checkpoints, metrics, and consumer groups."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition

from connectors.settings import Settings
from ops.health.answers.brokers import Group
from ops.health.answers.cluster import Checkpoint, Checkpoints, LiveJob, Spread, Tasks, Vertex
from ops.health.check import SECONDS, Check, Reading
from ops.health.scope import Scope
from ops.jobs.cluster_jobs import Failure, Job, JobId, Restarts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
VERTEX = Vertex("v", "Source: records of payments[1] -> Calc[2]", 2)


def scope(settings: Settings | None = None, **known: Any) -> Scope:
    """Return a scope at noon with these answers."""
    return Scope(settings or Settings(), NOW, known)


def measured(id_: str, *readings: Reading, unit: str = SECONDS, error: Exception | None = None) -> Check:
    """Return a check with these readings, or this error; it warns from 10 and fails from 20."""

    def measure(_: object) -> Sequence[Reading]:
        if error:
            raise error
        return readings

    return Check(id_, "Is it late?", unit, measure, 10, 20, "Results are late.", ("Run `make up`.", "Wait."))


def ago(seconds: float) -> datetime:
    """Return a time before noon."""
    return NOW - timedelta(seconds=seconds)


def job(name: str = "fraud_detection", state: str = "RUNNING") -> Job:
    """Return a job of four tasks that started an hour ago."""
    return Job(JobId(f"id of {name}"), name, state, ago(3600), tasks=4, running_tasks=4)


def live(found: Job | None = None, *, since: float = 3600, failed: Sequence[float] = (), waiting: int = 0) -> LiveJob:
    """Return a live job with a vertex.

    Args:
        since: age of its state in seconds.
        failed: ages of its failures in seconds, the latest first.
        waiting: number of tasks that do not run.
    """
    failures = [Failure(ago(age), f"cause {number}\nmore of it") for number, age in enumerate(failed, start=1)]
    return LiveJob(found or job(), ago(since), Restarts(len(failures), failures), (VERTEX,), waiting)


def checkpoints(*history: Checkpoint, age: float = 10, **more: Any) -> Checkpoints:
    """Return the checkpoints of a live job with a timeout of 100 s."""
    return Checkpoints(live(), 100, ago(age), history, **more)


def checkpoint(status: str = "COMPLETED", age: float = 10, seconds: float = 1, failure: str = "") -> Checkpoint:
    """Return a checkpoint that was triggered `age` seconds ago."""
    return Checkpoint(status, ago(age), seconds, failure)


def tasks(metrics: Mapping[str, Spread], vertex: Vertex = VERTEX, **more: Any) -> Tasks:
    """Return the metrics of a vertex of a live job."""
    return Tasks(live(), vertex, metrics, **more)


def spread(*values: float) -> Spread:
    """Return a metric with these values of subtasks."""
    return Spread(max(values), sum(values) / len(values), sum(values))


def offsets(topic: str, *values: int) -> dict[TopicPartition, int]:
    """Return these values by partition of a topic."""
    return {TopicPartition(topic, number): value for number, value in enumerate(values)}


def group(name: str = "fraud_detection", state: str = "Empty", **more: Any) -> Group:
    """Return a consumer group."""
    return Group(name, state, **more)


def values(readings: Sequence[Reading]) -> dict[str, float]:
    """Return the values by subject."""
    return {each.subject: each.value for each in readings}
