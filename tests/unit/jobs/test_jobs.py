"""Reports of jobs that fail repeatedly, and waiting for jobs during a short outage of the cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.settings import Settings
from ops.jobs import cluster_jobs
from ops.jobs.cluster_jobs import Failure, JobError, JobId, Restarts, cancel, stop_with_savepoint, wait_until_running
from ops.jobs.flink_rest import FlinkError, FlinkUnavailableError
from ops.jobs.lost_jobs import Note, write_notes
from tests.services.free_ports import free_port
from tests.services.json_server import json_server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def failures(*minutes: float) -> list[Failure]:
    """Return failures at these minutes after noon, the latest first."""
    return [Failure(NOON + timedelta(minutes=each), f"cause of {each}") for each in sorted(minutes, reverse=True)]


@pytest.mark.parametrize(
    ("found", "after_minutes", "cell"),
    [
        (Restarts(0, []), 0, "0"),
        (Restarts(1, failures(0)), 1, "1, last at 2026-03-01 12:00:00 UTC"),
        (Restarts(3, failures(0, 1, 1.5)), 2, "3, failing since 2026-03-01 12:00:00 UTC"),
        (Restarts(3, failures(0, 30, 30.5)), 31, "3, failing since 2026-03-01 12:30:00 UTC"),
        (Restarts(3, failures(0, 1, 1.5)), 60, "3, last at 2026-03-01 12:01:30 UTC"),
        (Restarts(99, failures(0, 1), more_failures=True), 2, "99, failing since before 2026-03-01 12:00:00 UTC"),
        (Restarts(99, failures(0, 30, 31), more_failures=True), 32, "99, failing since 2026-03-01 12:30:00 UTC"),
    ],
)
def test_restarts_are_counted_with_when_the_job_began_to_fail(found: Restarts, after_minutes: float, cell: str) -> None:
    assert found.in_short(NOON + timedelta(minutes=after_minutes)) == cell


def test_repeated_failures_have_their_first_time_and_last_cause() -> None:
    assert Restarts(2, failures(0, 1)).in_full() == (
        "failed again and again since 2026-03-01 12:00:00 UTC, the last time at 2026-03-01 12:01:00 UTC:\ncause of 1"
    )


def test_single_failure_is_reported_with_its_cause() -> None:
    assert Restarts(1, failures(0)).in_full() == "failed at 2026-03-01 12:00:00 UTC:\ncause of 0"


JOB = JobId("a" * 32)
NOTE = Note(job_id=JOB, name="j", prefix="p", command=("submit", "j"), variables={}, savepoint=None, submitted_at=0)
OVERVIEW = "GET /jobs/overview"
SAVEPOINT = f"GET /jobs/{JOB}/savepoints/1"
CONFIGURATION = "GET /jobmanager/config"
STOP = f"POST /jobs/{JOB}/stop"
CANCEL = f"PATCH /jobs/{JOB}?mode=cancel"


@dataclass
class Cluster:
    """Flink's REST API over one job, which ends when a request ends it."""

    folder: Path
    state: str = "RUNNING"
    unavailable: dict[str, int] = field(default_factory=dict)
    """Number of further answers that no JobManager leads, by request."""
    refused: str = ""
    """A request that fails."""
    settings: Settings = field(default_factory=Settings)

    def answer(self, request: str, _body: bytes) -> tuple[int, object]:
        if self.unavailable.get(request, 0) > 0:
            self.unavailable[request] -= 1
            return 503, {"errors": ["Service temporarily unavailable due to an ongoing leader election."]}
        if request == self.refused:
            return 500, {"errors": ["Internal server error."]}
        if request == CONFIGURATION:
            return 200, [{"key": "execution.checkpointing.dir", "value": f"file://{self.folder / 'checkpoints'}"}]
        if request == STOP:
            return 202, {"request-id": "1"}
        if request == SAVEPOINT:
            self.state = "FINISHED"
            return 200, {"status": {"id": "COMPLETED"}, "operation": {"location": "/savepoints/1"}}
        if request == CANCEL:
            self.state = "CANCELED"
        job = {"jid": JOB, "name": "fraud_detection", "state": self.state, "start-time": 0}
        return 200, {"jobs": [job | {"tasks": {"total": 1, "running": 1}}]}

    def notes(self) -> list[Path]:
        return list(self.folder.rglob("*.json"))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with a job that runs and that is noted."""
    monkeypatch.setattr(cluster_jobs, "POLL_SECONDS", 0.01)
    found = Cluster(tmp_path)
    with json_server(found.answer) as address:
        found.settings = Settings(flink_rest_url=address)
        write_notes(found.settings, [NOTE])
        yield found


@pytest.mark.parametrize(
    ("wait", "interrupted"),
    [
        (wait_until_running, OVERVIEW),
        (cancel, OVERVIEW),
        (cancel, CONFIGURATION),
        (stop_with_savepoint, SAVEPOINT),
        (stop_with_savepoint, OVERVIEW),
        (stop_with_savepoint, CONFIGURATION),
    ],
)
def test_short_outage_of_the_cluster_is_waited_out_and_reported(
    cluster: Cluster, wait: Callable[[Settings, JobId], object], interrupted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.unavailable = {interrupted: 2}

    wait(cluster.settings, JOB)

    assert cluster.unavailable == {interrupted: 0}
    assert f"the Flink cluster at {cluster.settings.flink_rest_url} is back" in capsys.readouterr().err


def test_cluster_unavailable_at_the_deadline_is_an_error() -> None:
    unavailable = Settings(flink_rest_url=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(FlinkUnavailableError, match="no Flink cluster answers"):
        wait_until_running(unavailable, JOB, deadline_seconds=0.3)


def test_wait_for_a_job_unknown_to_the_cluster_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(JobError, match="was the cluster restarted since"):
        wait_until_running(cluster.settings, JobId("b" * 32))


@pytest.mark.parametrize(("end", "request_"), [(cancel, CANCEL), (stop_with_savepoint, STOP)])
def test_job_that_could_not_be_stopped_can_still_be_lost(
    cluster: Cluster, end: Callable[[Settings, JobId], object], request_: str
) -> None:
    cluster.refused = request_
    with pytest.raises(FlinkError, match="Internal server error"):
        end(cluster.settings, JOB)
    assert cluster.notes()

    cluster.refused = ""
    end(cluster.settings, JOB)
    assert not cluster.notes()
