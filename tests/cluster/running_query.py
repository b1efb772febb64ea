"""A query that waits for more records after the last one: it can be stopped with a savepoint, and restored."""

import time
from collections.abc import Callable
from typing import Any

import requests
from pyflink.common import Row
from pyflink.table import StreamTableEnvironment

from tests.cluster.mini_cluster import MiniCluster
from tests.reference_runs.harness import LOWEST_WATERMARK


class RunningQuery:
    """A query that runs from its creation until `stop`."""

    def __init__(
        self,
        cluster: MiniCluster,
        declare: Callable[[StreamTableEnvironment], None],
        query: str,
        savepoint: str | None = None,
    ) -> None:
        """Start the query.

        Args:
            declare: creates its tables, which stay open, and functions.
            savepoint: path of the savepoint to restore.
        """
        self._cluster = cluster
        environment = StreamTableEnvironment.create(cluster.environment(recovery_from(savepoint) if savepoint else {}))
        declare(environment)
        self._result = environment.execute_sql(query)
        self._rows = iter(self._result.collect())

    def next_row(self) -> Row:
        """Wait for the next row."""
        return next(self._rows)

    def stop(self) -> str:
        """Stop the query, and return the savepoint's path."""
        return self._cluster.stop_with_savepoint(self._result.get_job_client())

    def metric(self, name: str) -> int:
        """Return a counter of the only process table function, over all subtasks."""
        metrics = f"{self._vertex()}/subtasks/metrics"
        ids = [metric["id"] for metric in get_json(metrics) if metric["id"].endswith(f".{name}")]
        return sum(int(metric["sum"]) for metric in get_json(f"{metrics}?get={','.join(ids)}&agg=sum")) if ids else 0

    def wait_for_watermark(self, milliseconds: int) -> None:
        """Wait until the watermark of the only process table function has reached this value, in all subtasks.

        Each of two inputs must have reached it: Flink's metric ignores that an input is idle.
        """
        deadline = time.monotonic() + 60
        while (found := self._watermark()) < milliseconds:
            assert time.monotonic() < deadline, f"the watermark stays at {found}"
            time.sleep(0.2)

    def _watermark(self) -> int:
        subtasks = get_json(f"{self._vertex()}/watermarks")
        return min((int(each["value"]) for each in subtasks), default=LOWEST_WATERMARK)

    def _vertex(self) -> str:
        job = self._result.get_job_client().get_job_id()
        root = f"http://127.0.0.1:{self._cluster.rest_port}/jobs/{job}"
        [vertex] = [v["id"] for v in get_json(root)["vertices"] if v["name"].startswith("ProcessTableFunction")]
        return f"{root}/vertices/{vertex}"

    def wait_for_metrics(self, **expected: int) -> None:
        """Wait until the counters have these values; they are reported a few seconds after the rows."""
        deadline = time.monotonic() + 60
        while (found := {name: self.metric(name) for name in expected}) != expected:
            assert time.monotonic() < deadline, f"the counters stay at {found}"
            time.sleep(0.2)


def recovery_from(savepoint: str) -> dict[str, str]:
    """Return the options to restore a job; the operator that collects its result is another one each time."""
    return {
        "execution.state-recovery.path": savepoint,
        "execution.state-recovery.ignore-unclaimed-state": "true",
    }


def get_json(url: str) -> Any:
    """Return the answer of the cluster."""
    return requests.get(url, timeout=10).json()
