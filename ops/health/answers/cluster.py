"""Flink's jobs, checkpoints and metrics at one moment, from its REST API."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from connectors.settings import Settings
from ops.jobs.cluster_jobs import Job, Restarts, all_jobs, group_prefix, restarts
from ops.jobs.flink_rest import ask

BUSY = "busyTimeMsPerSecond"
BACK_PRESSURED = "backPressuredTimeMsPerSecond"
RECORDS_IN = "numRecordsInPerSecond"
TASK_METRICS = (BUSY, BACK_PRESSURED, RECORDS_IN)
"""Metrics that each task of a job has, whatever it does."""
OUTPUT_WATERMARK = "currentOutputWatermark"
SPLIT_WATERMARK = "currentWatermark"
HEAP, METASPACE = "Status.JVM.Memory.Heap", "Status.JVM.Memory.Metaspace"
COLLECTING = "Status.JVM.GarbageCollector.All.TimeMsPerSecond"
"""Time that garbage collection takes, as an average of the last minute."""
MEMORY_METRICS = (*(f"{pool}.{what}" for pool in (HEAP, METASPACE) for what in ("Used", "Max")), COLLECTING)
"""Metrics that each TaskManager has."""
SOURCE = "Source: "
"""Part of the name of a vertex that reads a topic."""
NO_WATERMARK = -(2**63)
"""Flink's value of a watermark before the first one."""
METRICS_A_REQUEST = 20
"""Number of metrics asked for at once: Flink refuses requests with more than 4,096 characters in the first line."""

_OF_SOURCE = re.compile(rf"(?P<subtask>\d+)\.(?P<source>Source__.+)\.{OUTPUT_WATERMARK}")
_OF_SPLIT = re.compile(rf"(?P<subtask>\d+)\.(?P<source>Source__.+)\.split\.(?P<split>.+)\.watermark\.{SPLIT_WATERMARK}")

_COMMITS = re.compile(r"\d+\.Source__.+\.KafkaSourceReader\.commits(?P<outcome>Succeeded|Failed)")


@dataclass(frozen=True)
class Vertex:
    """One step of a running job, or several that are chained."""

    id: str
    name: str
    parallelism: int

    @property
    def in_short(self) -> str:
        """Name of its first step: the whole name can have hundreds of characters."""
        first = self.name.partition(" -> ")[0]
        return first if len(first) <= 60 else f"{first[:59]}…"


@dataclass(frozen=True)
class LiveJob:
    """A job that has not ended."""

    job: Job
    since: datetime
    """Time since which it has been in its state."""
    restarts: Restarts
    vertices: tuple[Vertex, ...] = ()
    waiting_tasks: int = 0
    """Number of tasks that neither run nor have read all there ever is."""

    @property
    def runs(self) -> bool:
        """Whether all its tasks run."""
        return self.job.state == "RUNNING" and not self.waiting_tasks


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of the job's history."""

    status: str
    """COMPLETED, FAILED or IN_PROGRESS."""
    triggered_at: datetime
    seconds: float
    """Duration from the trigger to the last confirmation."""
    failure: str = ""


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of a live job."""

    job: LiveJob
    timeout_seconds: float
    last: datetime
    """Time of the last state that a restart would go back to: a completed checkpoint, the one that was restored, or the
    job's start."""
    history: Sequence[Checkpoint] = ()
    """Last checkpoints, the latest first, without savepoints."""
    completed: int = 0
    """Number of checkpoints that were completed since the job was submitted, or since the JobManager started."""
    state_bytes: int = 0
    """Size of the state in the last completed checkpoint."""
    median_state_bytes: float = 0
    """Median of that size over all completed checkpoints."""
    restored: datetime | None = None
    """When the job was last restored from a checkpoint or savepoint; None if it never was."""


@dataclass(frozen=True)
class Spread:
    """A metric over the subtasks of a vertex."""

    highest: float
    average: float
    total: float


@dataclass(frozen=True)
class SourceWatermark:
    """Event time of one subtask that reads a topic."""

    source: str
    """Name of the step, as metrics write it."""
    subtask: int
    emitted: int
    """Watermark that the subtask has emitted, in UTC milliseconds, or `NO_WATERMARK`."""
    partitions: Mapping[str, int] = field(default_factory=dict)
    """Watermark of each partition that it reads, by the partition's name as `metric_name` makes it."""


@dataclass(frozen=True)
class Tasks:
    """Metrics of one vertex of a live job."""

    job: LiveJob
    vertex: Vertex
    metrics: Mapping[str, Spread] = field(default_factory=dict)
    """By name; empty while Flink has none of the vertex, such as right after a restart."""
    watermarks: tuple[SourceWatermark, ...] = ()
    """Empty unless the vertex reads a topic."""
    commits: int = 0
    """Number of times that a subtask has committed its offsets to Kafka since its last start."""
    failed_commits: int = 0
    """Number of times that it couldn't."""


@dataclass(frozen=True)
class TaskManager:
    """Memory of a TaskManager; a part that Flink doesn't know, as right after a start, is None."""

    id: str
    heap: tuple[int, int] | None = None
    """Used bytes, and their limit."""
    metaspace: tuple[int, int] | None = None
    collecting_ms_per_second: float | None = None
    """Milliseconds in a second that are spent on garbage collection."""
    data_port: int = 0
    """Port at which its process listens for other TaskManagers."""
    process_bytes: int | None = None
    """Memory that is configured for its process."""


def own_jobs(settings: Settings) -> list[Job]:
    """Return the jobs of this deployment that the cluster remembers, the latest first.

    Jobs of another prefix are left out, and those that `ops` didn't submit.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    return [job for job in all_jobs(settings) if group_prefix(settings, job) == settings.consumer_group_prefix]


def live_job(settings: Settings, job: Job) -> LiveJob:
    """Ask for the vertices and failures of a job."""
    answer = ask(settings, "GET", f"jobs/{job.id}")
    return LiveJob(
        job=job,
        since=_time(answer["timestamps"].get(answer["state"]) or answer["start-time"]),
        restarts=restarts(settings, job),
        vertices=tuple(Vertex(each["id"], each["name"], each["parallelism"]) for each in answer["vertices"]),
        waiting_tasks=sum(
            number
            for each in answer["vertices"]
            for state, number in each["tasks"].items()
            if state not in {"RUNNING", "FINISHED"}
        ),
    )


def checkpoints(settings: Settings, job: LiveJob) -> Checkpoints:
    """Ask for the checkpoints of a job."""
    found = ask(settings, "GET", f"jobs/{job.job.id}/checkpoints")
    config = ask(settings, "GET", f"jobs/{job.job.id}/checkpoints/config")
    completed, restored = found["latest"]["completed"], found["latest"]["restored"]
    times = [job.job.started_at]
    if completed:
        times.append(_time(completed["latest_ack_timestamp"]))
    restored_at = _time(restored["restore_timestamp"]) if restored else None
    if restored_at:
        times.append(restored_at)
    return Checkpoints(
        job=job,
        timeout_seconds=config["timeout"] / 1000,
        last=max(times),
        history=[_checkpoint(each) for each in found["history"] if not each["is_savepoint"]],
        completed=found["counts"]["completed"],
        state_bytes=completed["state_size"] if completed else 0,
        median_state_bytes=float(found["summary"]["state_size"]["p50"]),
        restored=restored_at,
    )


def tasks(settings: Settings, job: LiveJob, vertex: Vertex) -> Tasks:
    """Ask for the metrics of a vertex."""
    path = f"jobs/{job.job.id}/vertices/{vertex.id}"
    found = ask(settings, "GET", f"{path}/subtasks/metrics?get={','.join(TASK_METRICS)}")
    metrics = {each["id"]: Spread(*(float(each[kind]) for kind in ("max", "avg", "sum"))) for each in found}
    patterns = (_OF_SOURCE, _OF_SPLIT, _COMMITS)
    texts = metric_values(settings, f"{path}/metrics", patterns) if SOURCE in vertex.name else {}
    values = {name: int(text) for name, text in texts.items()}
    commits = [(made["outcome"], value) for name, value in values.items() if (made := _COMMITS.fullmatch(name))]
    return Tasks(
        job,
        vertex,
        {name: spread for name, spread in metrics.items() if not math.isnan(spread.highest)},
        tuple(_watermarks(values)),
        commits=sum(value for outcome, value in commits if outcome == "Succeeded"),
        failed_commits=sum(value for outcome, value in commits if outcome == "Failed"),
    )


def task_managers(settings: Settings) -> list[TaskManager]:
    """Ask for the memory of each TaskManager.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    return [_task_manager(settings, each) for each in ask(settings, "GET", "taskmanagers")["taskmanagers"]]


def metric_name(topic: str, partition: int) -> str:
    """Return the name of a partition in metrics: some characters are replaced there."""
    return re.sub("[ .:,]", "_", f"{topic}-{partition}")


def metric_values(settings: Settings, path: str, patterns: Iterable[re.Pattern[str]]) -> Mapping[str, str]:
    """Return the values of the metrics at a path whose names match a pattern, by name."""
    names = [each["id"] for each in ask(settings, "GET", path)]
    wanted = [name for name in names if any(pattern.fullmatch(name) for pattern in patterns)]
    values: dict[str, str] = {}
    for start in range(0, len(wanted), METRICS_A_REQUEST):
        some = quote(",".join(wanted[start : start + METRICS_A_REQUEST]))
        values |= {each["id"]: each["value"] for each in ask(settings, "GET", f"{path}?get={some}")}
    return values


def _watermarks(values: Mapping[str, int]) -> Iterator[SourceWatermark]:
    partitions: dict[tuple[str, str], dict[str, int]] = {}
    for name, value in values.items():
        if split := _OF_SPLIT.fullmatch(name):
            partitions.setdefault((split["subtask"], split["source"]), {})[split["split"]] = value
    for name, value in values.items():
        if source := _OF_SOURCE.fullmatch(name):
            of_splits = partitions.get((source["subtask"], source["source"]), {})
            yield SourceWatermark(source["source"], int(source["subtask"]), value, of_splits)


def _task_manager(settings: Settings, listed: Mapping[str, Any]) -> TaskManager:
    id_ = listed["id"]
    found = ask(settings, "GET", f"taskmanagers/{quote(id_, safe=':')}/metrics?get={','.join(MEMORY_METRICS)}")
    metrics = {each["id"]: float(each["value"]) for each in found}

    def used(pool: str) -> tuple[int, int] | None:
        amount, limit = metrics.get(f"{pool}.Used"), metrics.get(f"{pool}.Max", -1)
        return None if amount is None or limit <= 0 else (round(amount), round(limit))  # -1: there is no limit

    process_bytes = listed.get("memoryConfiguration", {}).get("totalProcessMemory")
    return TaskManager(
        id_, used(HEAP), used(METASPACE), metrics.get(COLLECTING), listed.get("dataPort", 0), process_bytes
    )


def _checkpoint(answer: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        status=answer["status"],
        triggered_at=_time(answer["trigger_timestamp"]),
        seconds=answer["end_to_end_duration"] / 1000,
        failure=answer.get("failure_message") or "",
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
