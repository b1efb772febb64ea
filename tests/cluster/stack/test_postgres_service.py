"""PostgreSQL as a service of the local stack."""

import os
import signal

from local.stack import processes
from local.stack.supervisor import Stack
from tests.services.lone_postgres import lone_postgres


def test_killed_server_still_uncollected_by_its_parent_is_restarted() -> None:
    with lone_postgres() as stack:
        kill_without_collecting(stack)

        stack.start("postgres")

        (status,) = stack.status()
        assert not status.fault


def kill_without_collecting(stack: Stack) -> None:
    """Kill the server but keep its process id taken: this process is its parent, and doesn't wait for it."""
    recorded = processes.running(stack.service("postgres").place.pid_file)
    assert recorded
    os.kill(recorded.pid, signal.SIGKILL)
    while recorded.runs():
        os.sched_yield()
