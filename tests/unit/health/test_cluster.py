"""What Flink's REST API answers becomes jobs, checkpoints and metrics; its fields are those of Flink 2.3."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.settings import Settings
from ops.health.answers import cluster
from ops.health.answers.cluster import NO_WATERMARK, Checkpoint, SourceWatermark, Spread, TaskManager, Vertex
from ops.health.check import Level, evaluate
from ops.health.checks import CHECKS
from ops.jobs.cluster_jobs import Job, JobId
from tests.builders.health import NOW_MS, ago, live, scope
from tests.services.json_server import json_server

JOB = Job(JobId("j"), "fraud_detection", "RUNNING", ago(3600), 4, 4)
VERTEX = Vertex("v", "Source: records of payments[1] -> Calc[2]", 2)
OVERVIEW = {
    "jobs": [
        {
            "jid": "j",
            "name": "fraud_detection",
            "state": "RUNNING",
            "start-time": NOW_MS - 3_600_000,
            "tasks": {"total": 4, "running": 4},
        }
    ]
}
TASKS = {"CREATED": 0, "RUNNING": 1, "FINISHED": 1, "DEPLOYING": 0}
"""Number of tasks by state; a finished one has read all there ever is."""
DETAILS: dict[str, Any] = {
    "jid": "j",
    "state": "RUNNING",
    "start-time": NOW_MS - 3_600_000,
    "timestamps": {"RUNNING": NOW_MS - 60_000, "RESTARTING": NOW_MS - 90_000, "FAILED": 0},
    "vertices": [{"id": "v", "name": VERTEX.name, "parallelism": 2, "status": "RUNNING", "tasks": TASKS}],
}
NO_FAILURES = {"exceptionHistory": {"entries": [], "truncated": False}}
CHECKPOINTS = {
    "counts": {"restored": 0, "total": 3, "in_progress": 1, "completed": 1, "failed": 1},
    "latest": {
        "completed": {
            "id": 1,
            "latest_ack_timestamp": NOW_MS - 30_000,
            "end_to_end_duration": 2_000,
            "state_size": 70_000_000,
        },
        "savepoint": None,
        "failed": {"id": 2},
        "restored": None,
    },
    "summary": {"state_size": {"min": 0, "max": 70_000_000, "avg": 30_000_000, "p50": 20_000_000.0}},
    "history": [
        {
            "className": "in_progress",
            "id": 3,
            "status": "IN_PROGRESS",
            "is_savepoint": False,
            "trigger_timestamp": NOW_MS - 5_000,
            "end_to_end_duration": 4_000,
        },
        {
            "className": "failed",
            "id": 2,
            "status": "FAILED",
            "is_savepoint": False,
            "trigger_timestamp": NOW_MS - 20_000,
            "end_to_end_duration": 9_000,
            "failure_message": "Checkpoint expired before completing.",
        },
        {
            "className": "completed",
            "id": 1,
            "status": "COMPLETED",
            "is_savepoint": True,
            "trigger_timestamp": NOW_MS - 32_000,
            "end_to_end_duration": 2_000,
        },
    ],
}
WATERMARKS = {
    "0.Source__records_of_payments[1].currentOutputWatermark": str(NOW_MS - 7_000),
    "0.Source__records_of_payments[1].split.payments-0.watermark.currentWatermark": str(NOW_MS - 7_000),
    "0.Source__records_of_payments[1].split.payments-2.watermark.currentWatermark": str(NOW_MS - 6_000),
    "1.Source__records_of_payments[1].currentOutputWatermark": str(NO_WATERMARK),
    "1.Source__records_of_payments[1].split.payments-1.watermark.currentWatermark": str(NO_WATERMARK),
}
MEMORY = {
    "Status.JVM.Memory.Heap.Used": "400000000",
    "Status.JVM.Memory.Heap.Max": "800000000",
    "Status.JVM.Memory.Metaspace.Used": "90000000",
    "Status.JVM.Memory.Metaspace.Max": "-1",
    "Status.JVM.GarbageCollector.All.TimeMsPerSecond": "12.5",
}
COMMITS = {
    "0.Source__records_of_payments[1].KafkaSourceReader.commitsSucceeded": "40",
    "0.Source__records_of_payments[1].KafkaSourceReader.commitsFailed": "3",
    "1.Source__records_of_payments[1].KafkaSourceReader.commitsSucceeded": "50",
}
TASK_MANAGER = {
    "id": "127.0.0.1:6122-a",
    "dataPort": 40_001,
    "memoryConfiguration": {"totalProcessMemory": 1_600_000_000},
}
OTHER_METRICS = ("0.busyTimeMsPerSecond", "0.Calc[2].currentOutputWatermark", "0.Source__records.numRecordsIn")


@dataclass
class Flink:
    """Flink's REST API over one job; keeps what it was asked."""

    prefix: str = "millrace"
    details: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(DETAILS))
    checkpoints: dict[str, object] = field(default_factory=lambda: dict(CHECKPOINTS))
    metrics: list[dict[str, object]] = field(
        default_factory=lambda: [
            {"id": "busyTimeMsPerSecond", "min": 100.0, "max": 950.0, "avg": 525.0, "sum": 1050.0},
            {"id": "backPressuredTimeMsPerSecond", "min": 0.0, "max": 10.0, "avg": 5.0, "sum": 10.0},
            {"id": "numRecordsInPerSecond", "min": 10.0, "max": 90.0, "avg": 50.0, "sum": 100.0},
        ]
    )
    asked: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    def answer(self, request: str, _body: bytes) -> tuple[int, object]:
        path, _, query = unquote(request.removeprefix("GET /")).partition("?get=")
        self.asked.append(path)
        parameters = {"MILLRACE_CONSUMER_GROUP_PREFIX": self.prefix} if self.prefix else {}
        found = {
            "jobs/overview": OVERVIEW,
            "jobs/j/config": {"execution-config": {"user-config": parameters}},
            "jobs/j": self.details,
            "jobs/j/exceptions": NO_FAILURES,
            "jobs/j/metrics": [{"id": "numRestarts", "value": "0"}],
            "jobs/j/checkpoints": self.checkpoints,
            "jobs/j/checkpoints/config": {"mode": "exactly_once", "interval": 10_000, "timeout": 120_000},
            "jobs/j/vertices/v/subtasks/metrics": self.metrics,
            "jobs/j/vertices/v/metrics": [{"id": name} for name in (*WATERMARKS, *COMMITS, *OTHER_METRICS)],
            "jobmanager/config": [],
            "taskmanagers": {"taskmanagers": [TASK_MANAGER, {"id": "new"}]},
        }
        if path.startswith("taskmanagers/"):
            known = MEMORY if path == "taskmanagers/127.0.0.1:6122-a/metrics" else {}
            return 200, [{"id": name, "value": known[name]} for name in query.split(",") if name in known]
        if query and path == "jobs/j/vertices/v/metrics":
            return 200, [{"id": name, "value": (WATERMARKS | COMMITS)[name]} for name in query.split(",")]
        return (200, found[path]) if path in found else (404, {"errors": [f"there is no {path}"]})


@pytest.fixture
def flink() -> Iterator[Flink]:
    """Flink's REST API on a free port."""
    found = Flink()
    with json_server(found.answer) as address:
        found.settings = Settings(flink_rest_url=address)
        yield found


@pytest.mark.parametrize(("prefix", "names"), [("millrace", ["fraud_detection"]), ("", []), ("b", [])])
def test_jobs_of_another_deployment_are_left_out(flink: Flink, prefix: str, names: list[str]) -> None:
    flink.prefix = prefix

    assert [job.name for job in cluster.own_jobs(flink.settings)] == names


def test_live_job_has_its_vertices_and_the_time_of_its_state(flink: Flink) -> None:
    found = cluster.live_job(flink.settings, JOB)

    assert (found.vertices, found.since, found.runs) == ((VERTEX,), ago(60), True)


def test_job_with_a_task_that_waits_does_not_run(flink: Flink) -> None:
    flink.details["vertices"][0]["tasks"]["DEPLOYING"] = 1

    found = cluster.live_job(flink.settings, JOB)

    assert (found.waiting_tasks, found.runs) == (1, False)


def test_checkpoints_have_their_history_without_savepoints(flink: Flink) -> None:
    found = cluster.checkpoints(flink.settings, live(JOB))

    assert (found.timeout_seconds, found.last) == (120, ago(30))
    assert (found.completed, found.state_bytes, found.median_state_bytes) == (1, 70_000_000, 20_000_000)
    assert found.history == [
        Checkpoint("IN_PROGRESS", ago(5), 4),
        Checkpoint("FAILED", ago(20), 9, "Checkpoint expired before completing."),
    ]


def test_age_of_a_first_checkpoint_counts_from_what_was_restored_or_from_the_start(flink: Flink) -> None:
    flink.checkpoints["latest"] = {"completed": None, "restored": {"id": 1, "restore_timestamp": NOW_MS - 9_000}}
    assert cluster.checkpoints(flink.settings, live(JOB)).last == ago(9)

    flink.checkpoints["latest"] = {"completed": None, "restored": None}
    assert cluster.checkpoints(flink.settings, live(JOB)).last == JOB.started_at


def test_job_without_a_checkpoint_has_no_state_yet(flink: Flink) -> None:
    flink.checkpoints["latest"] = {"completed": None, "restored": None}
    flink.checkpoints["summary"] = {"state_size": {"p50": "NaN"}}

    assert cluster.checkpoints(flink.settings, live(JOB)).state_bytes == 0


def test_metrics_of_a_vertex_are_spread_over_its_subtasks(flink: Flink) -> None:
    found = cluster.tasks(flink.settings, live(JOB), VERTEX)

    assert found.metrics == {
        "busyTimeMsPerSecond": Spread(950, 525, 1050),
        "backPressuredTimeMsPerSecond": Spread(10, 5, 10),
        "numRecordsInPerSecond": Spread(90, 50, 100),
    }


def test_metric_without_a_value_is_left_out(flink: Flink) -> None:
    flink.metrics = [{"id": "busyTimeMsPerSecond", "min": "NaN", "max": "NaN", "avg": "NaN", "sum": "NaN"}]

    assert cluster.tasks(flink.settings, live(JOB), VERTEX).metrics == {}


def test_source_has_a_watermark_for_each_subtask_and_partition(flink: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "METRICS_A_REQUEST", 2)

    found = cluster.tasks(flink.settings, live(JOB), VERTEX)

    name = "Source__records_of_payments[1]"
    assert found.watermarks == (
        SourceWatermark(name, 0, NOW_MS - 7_000, {"payments-0": NOW_MS - 7_000, "payments-2": NOW_MS - 6_000}),
        SourceWatermark(name, 1, NO_WATERMARK, {"payments-1": NO_WATERMARK}),
    )
    assert flink.asked.count("jobs/j/vertices/v/metrics") == 1 + 4


def test_commits_of_a_source_are_those_of_all_its_subtasks(flink: Flink) -> None:
    found = cluster.tasks(flink.settings, live(JOB), VERTEX)

    assert (found.commits, found.failed_commits) == (90, 3)


def test_vertex_that_reads_no_topic_is_not_asked_for_watermarks(flink: Flink) -> None:
    found = cluster.tasks(flink.settings, live(JOB), Vertex("v", "Calc[3] -> Sink: alerts", 2))

    assert found.watermarks == ()
    assert "jobs/j/vertices/v/metrics" not in flink.asked


def test_task_manager_has_the_memory_that_flink_knows(flink: Flink) -> None:
    assert cluster.task_managers(flink.settings) == [
        TaskManager("127.0.0.1:6122-a", (400_000_000, 800_000_000), None, 12.5, 40_001, 1_600_000_000),
        TaskManager("new"),
    ]


def test_name_of_a_partition_is_written_as_in_metrics() -> None:
    assert cluster.metric_name("db-changes.customers", 3) == "db-changes_customers-3"


def test_flink_is_asked_once_for_all_checks_of_jobs(flink: Flink) -> None:
    asking = scope(flink.settings)
    by_id = {check.id: check for check in CHECKS}

    for id_ in ("job-interrupted", "job-restarts", "checkpoint-age", "checkpoint-failures", "job-busy", "job-skew"):
        assert Level.UNKNOWN not in {each.level for each in evaluate(by_id[id_], asking)}

    assert flink.asked.count("jobs/overview") == 1
    assert flink.asked.count("jobs/j") == 1
    assert flink.asked.count("jobs/j/checkpoints") == 1
