"""Flink's JobManager: accepts jobs, assigns their tasks to TaskManagers, and shows both in the web UI."""

from local.stack.probes import get_json
from local.stack.service import GIB, Service
from local.stack.services import flink_cluster
from local.stack.services.java_process import QUICK_TO_START
from local.stack.setup import Setup

NAME = "jobmanager"


def declare(setup: Setup) -> Service:
    """Declare the JobManager, with its REST API and web UI at `MILLRACE_FLINK_REST_URL`."""
    place = setup.place(NAME)
    url = setup.jobmanager_url
    return Service(
        place=place,
        launch=lambda: flink_cluster.launch(setup, place, "jobmanager", {}, QUICK_TO_START),
        health=lambda: check_health(url),
        address=url,
        memory_bytes=GIB * 8 // 10,
        ports=("flink", "flink jobmanager"),
    )


def check_health(url: str) -> None:
    """Check that the REST API answers from a cluster that has started.

    Raises:
        UnhealthyError: it doesn't.
    """
    get_json(f"{url}/overview")
