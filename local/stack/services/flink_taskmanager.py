"""A Flink TaskManager: runs the tasks of two jobs, one per slot."""

import re
from urllib.parse import urlsplit

from local.stack.probes import connect, get_json
from local.stack.service import GIB, Service, UnhealthyError
from local.stack.services import flink_cluster, flink_jobmanager
from local.stack.services.java_process import compiler_options
from local.stack.setup import Setup


def name(number: int) -> str:
    """Return the name of the TaskManager with this number, counted from 1."""
    return f"taskmanager-{number}"


def number(service: str) -> int:
    """Return the number of the TaskManager with this name; 0 for another service."""
    found = re.fullmatch(r"taskmanager-(\d+)", service)
    return int(found[1]) if found else 0


def declare(setup: Setup, number: int) -> Service:
    """Declare a TaskManager that registers with this stack's JobManager."""
    place = setup.place(name(number))
    # With a fixed id, a TaskManager that is restarted after a kill replaces its predecessor at once.
    options = {"taskmanager.resource-id": place.service}
    return Service(
        place=place,
        launch=lambda: flink_cluster.launch(setup, place, "taskmanager", options, compiler_options(setup)),
        health=lambda: check_health(setup.jobmanager_url, place.service),
        address=f"{setup.jobmanager_url}/#/task-manager/{place.service}",
        memory_bytes=GIB * 13 // 10,
        after=(flink_jobmanager.NAME,),
    )


def check_health(url: str, resource: str) -> None:
    """Check that the JobManager knows this TaskManager, and that it accepts connections.

    Raises:
        UnhealthyError: it isn't known, or doesn't answer.
    """
    try:
        known = {manager["id"]: manager["path"] for manager in get_json(f"{url}/taskmanagers")["taskmanagers"]}
    except UnhealthyError as reason:
        raise UnhealthyError(f"can't be asked for: its JobManager {reason}") from None
    if resource not in known:
        raise UnhealthyError("has not registered with its JobManager")
    # For some seconds after a crash the JobManager still knows the predecessor, which had another address.
    connect(urlsplit(known[resource]).netloc.rpartition("@")[2])
