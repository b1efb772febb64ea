"""The demo stops its jobs although Flink is unavailable for a moment, or an answer is lost."""

from collections.abc import Mapping

import pytest

from connectors.settings import Settings
from jobs.flow import REVENUE
from local.demo import submitted_jobs
from local.demo.submitted_jobs import SubmittedJobs
from ops.jobs.cluster_jobs import JobError, JobId
from tests.services.json_server import json_server

DEADLINE_SECONDS = 20
UNAVAILABLE = (503, {"errors": ["Service temporarily unavailable"]})
JOB = {"jid": "j1", "name": "revenue", "start-time": 0, "tasks": {"total": 1, "running": 1}}
COMPLETED = {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoint"}}


def stop(monkeypatch: pytest.MonkeyPatch, states: list[tuple[int, object]]) -> list[str]:
    """Stop a job; what was requested of Flink.

    Args:
        states: answers to the first requests for the job's state.
    """
    requests: list[str] = []

    def answer(request: str, _: object) -> tuple[int, object]:
        requests.append(request)
        if request == "GET /jobs/j1":
            return states.pop(0)
        saved = any(each.startswith("GET /jobs/j1/savepoints") for each in requests)
        answers: Mapping[str, object] = {
            "GET /jobs/overview": {"jobs": [JOB | {"state": "FINISHED" if saved else "RUNNING"}]},
            "POST /jobs/j1/stop": {"request-id": "r1"},
            "GET /jobs/j1/savepoints/r1": COMPLETED,
            "GET /jobmanager/config": [],
        }
        return 200, answers[request]

    monkeypatch.setattr(submitted_jobs, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(SubmittedJobs, "_submit", lambda _: {REVENUE: JobId("j1")})
    with json_server(answer) as url, SubmittedJobs(Settings(flink_rest_url=url)) as jobs:
        (stopping,) = jobs.stop([REVENUE])
        stopping.result(DEADLINE_SECONDS)
    return requests


def test_job_is_stopped_when_flink_is_available_again(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = stop(monkeypatch, [UNAVAILABLE, UNAVAILABLE, (200, {"state": "RUNNING"})])

    assert requests.count("GET /jobs/j1") == 3
    assert requests.count("POST /jobs/j1/stop") == 1


def test_job_stopped_with_a_lost_answer_is_not_stopped_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stop(monkeypatch, [UNAVAILABLE, (200, {"state": "FINISHED"})]) == ["GET /jobs/j1"] * 2


def test_failed_job_can_not_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError, match="job j1 is FAILED, so it can't be stopped"):
        stop(monkeypatch, [(200, {"state": "FAILED"})])


def test_demo_that_ends_no_longer_tries_to_stop_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SubmittedJobs, "_submit", lambda _: {REVENUE: JobId("j1")})
    with json_server(lambda *_: UNAVAILABLE) as url:
        with SubmittedJobs(Settings(flink_rest_url=url)) as jobs:
            (stopping,) = jobs.stop([REVENUE])

        assert stopping.done()
