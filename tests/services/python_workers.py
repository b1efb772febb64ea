"""The processes in which Flink runs Python, in process mode."""

import psutil

from local.stack.supervisor import Stack


def kill_python_workers(stack: Stack) -> None:
    """SIGKILL the processes in which TaskManagers run Python."""
    managers = [status.pid for status in stack.status() if status.service.name.startswith("taskmanager") and status.pid]
    workers = [child for pid in managers for child in psutil.Process(pid).children(recursive=True)]
    assert workers, "no Python worker runs"
    for worker in workers:
        worker.kill()
