"""Memory of the TaskManagers' processes on this machine, and of the Python workers that they started."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from ops.health.answers.cluster import TaskManager

WORKER = "pyflink.fn_execution.beam.beam_boot"
"""Module that a Python worker runs; in thread mode Python is in the TaskManager's own process."""


@dataclass(frozen=True)
class ProcessMemory:
    """Resident memory of one TaskManager."""

    task_manager: TaskManager
    own_bytes: int
    worker_bytes: tuple[int, ...] = ()
    """Of each of its Python workers."""


def local_processes(task_managers: Iterable[TaskManager]) -> list[ProcessMemory]:
    """Return the memory of those TaskManagers that run on this machine and that this user may look at."""
    listening = {
        each.laddr.port: each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr and each.pid
    }
    found = []
    for manager in task_managers:
        with suppress(psutil.Error):  # it has ended, or is another user's
            if process := _process(listening.get(manager.data_port)):
                workers = [each for each in process.children(recursive=True) if WORKER in each.cmdline()]
                found.append(ProcessMemory(manager, _resident(process), tuple(map(_resident, workers))))
    return found


def _process(pid: int | None) -> psutil.Process | None:
    """Return a TaskManager's process; another machine's may have the port of some other process here."""
    process = psutil.Process(pid) if pid else None
    is_manager = process and any(part.endswith(".TaskManagerRunner") for part in process.cmdline())
    return process if is_manager else None


def _resident(process: psutil.Process) -> int:
    size: int = process.memory_info().rss
    return size
