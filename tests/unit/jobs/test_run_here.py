"""A run in this process is refused while the cluster runs a job of the same consumer group."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.jobs.sql_commands import sql_pipelines
from tests.services.json_server import json_server

JOB = {
    "jid": "a" * 32,
    "name": "mine",
    "state": "RUNNING",
    "start-time": 0,
    "tasks": {"total": 1, "running": 1},
}
RAN = "it runs"


def cluster(prefix: str, **changes: object) -> Callable[[str, bytes], tuple[int, object]]:
    """Return the answers of a cluster with one job."""
    answers: dict[str, object] = {
        "GET /jobs/overview": {"jobs": [JOB | changes]},
        f"GET /jobs/{JOB['jid']}/config": {
            "execution-config": {"user-config": {"MILLRACE_CONSUMER_GROUP_PREFIX": prefix}}
        },
    }
    return lambda request, _body: (200, answers[request])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    """Runs a file `mine.sql` beside the cluster at an address, without Flink."""
    file = tmp_path / "mine.sql"
    file.write_text("INSERT INTO a SELECT 1 FROM b;")
    monkeypatch.setattr("ops.jobs.sql_commands.run", lambda *_: print(RAN))

    def invoke(address: str) -> Result:
        monkeypatch.setenv("MILLRACE_FLINK_REST_URL", address)
        return CliRunner().invoke(sql_pipelines, ["run", str(file)])

    return invoke


def test_local_run_is_refused_if_the_cluster_runs_a_job_of_its_group(run: Callable[[str], Result]) -> None:
    with json_server(cluster("millrace")) as address:
        refused = run(address)

    assert refused.exit_code == 1
    assert f"mine runs already ({JOB['jid']}), for millrace.mine: everything would be done twice" in refused.output
    assert RAN not in refused.output


@pytest.mark.parametrize(
    "answer",
    [cluster("another"), cluster("millrace", name="other"), cluster("millrace", state="FINISHED")],
    ids=["another group", "another job", "an ended job"],
)
def test_job_of_another_group_does_not_prevent_a_local_run(
    run: Callable[[str], Result], answer: Callable[[str, bytes], tuple[int, object]]
) -> None:
    with json_server(answer) as address:
        ran = run(address)

    assert (ran.exit_code, ran.output) == (0, f"{RAN}\n")


def test_unavailable_cluster_does_not_prevent_a_local_run(run: Callable[[str], Result]) -> None:
    with json_server(cluster("millrace")) as address:
        pass

    ran = run(address)

    assert (ran.exit_code, ran.output) == (0, f"{RAN}\n")
