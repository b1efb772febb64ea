"""`ops jobs list` of a job that Flink restarts again and again: between two restarts it is RUNNING."""

import re
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from pyflink.table import StreamTableEnvironment

from connectors.settings import Settings
from ops.jobs.cluster_jobs import JobId, cancel
from ops.jobs.commands import jobs
from tests.cluster.mini_cluster import MiniCluster

RESTART_FOR_EVER = {
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "1000000",
    "restart-strategy.fixed-delay.delay": "1 s",
}


@pytest.fixture
def failing_job(cluster: MiniCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A job that fails at its first record after every start; `ops` uses its cluster."""
    monkeypatch.setenv("MILLRACE_FLINK_REST_URL", f"http://127.0.0.1:{cluster.rest_port}")
    tables = StreamTableEnvironment.create(cluster.environment(RESTART_FOR_EVER))
    tables.execute_sql("CREATE TEMPORARY TABLE texts (word STRING) WITH ('connector' = 'datagen')")
    tables.execute_sql("CREATE TEMPORARY TABLE numbers (number INT) WITH ('connector' = 'blackhole')")
    client = tables.execute_sql("INSERT INTO numbers SELECT CAST(CONCAT('x', word) AS INT) FROM texts").get_job_client()
    job = str(client.get_job_id())
    try:
        yield job
    finally:
        cancel(Settings.from_environment(), JobId(job))


def test_job_that_restarts_forever_is_listed_with_restarts_and_last_cause(failing_job: str) -> None:
    deadline = time.monotonic() + 60
    row = None
    while row is None:
        output = CliRunner().invoke(jobs, ["list"]).output
        row = re.search(rf"^\S+ +\S+ +\d/\d +.+ UTC +([3-9]|\d\d+), failing since .+ UTC +{failing_job}$", output, re.M)
        assert time.monotonic() < deadline, output

    # Flink counts restarts at once, and may show an older history: so no test requires the count of before.
    details = output.partition(f"({failing_job}) failed again and again since ")[2]
    assert re.match(r"[-\d]+ [:\d]+ UTC, the last time at [-\d]+ [:\d]+ UTC:\n.*NumberFormatException", details)
