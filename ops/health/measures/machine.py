"""Measures of what jobs run on: space on this machine's disks, and memory of the TaskManagers."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from connectors.settings import state_directory
from ops.health.answers.cluster import TaskManager
from ops.health.check import Reading
from ops.health.scope import Scope

GB = 1_000_000_000
LARGE_DISK_BYTES = 100 * GB
"""Of a larger disk only this much counts: 5% of it is little for a small disk, and plenty for a large one."""
SECOND_MS = 1_000


def checkpoint_disks(scope: Scope) -> Iterator[Reading]:
    """Yield the share of each disk of this machine that is in use, of those with checkpoints and savepoints."""
    yield from _disks(scope.flink_folders)


def stack_disk(_scope: Scope) -> Iterator[Reading]:
    """Yield the share in use of the disk with the local stack's state, if this machine has one."""
    folder = state_directory()
    if folder.is_dir():
        yield from _disks([folder])


def garbage_collection(scope: Scope) -> Iterator[Reading]:
    """Yield the share of the last minute in which a TaskManager collected garbage."""
    for manager in scope.task_managers:
        if manager.collecting_ms_per_second is not None:
            yield Reading(manager.id, manager.collecting_ms_per_second / SECOND_MS)


def heap(scope: Scope) -> Iterator[Reading]:
    """Yield the share of its heap that each TaskManager uses, with garbage that was not collected yet."""
    yield from _used(scope, lambda manager: manager.heap)


def metaspace(scope: Scope) -> Iterator[Reading]:
    """Yield the share of its metaspace that each TaskManager uses, with classes that were not collected yet."""
    yield from _used(scope, lambda manager: manager.metaspace)


def process_memory(scope: Scope) -> Iterator[Reading]:
    """Yield the share of its configured process memory that each TaskManager of this machine uses with its workers."""
    for each in scope.task_manager_processes:
        if limit := each.task_manager.process_bytes:
            workers = sum(each.worker_bytes)
            detail = f"{_mb(each.own_bytes)}, and {_mb(workers)} in {len(each.worker_bytes)} workers, of {_mb(limit)}"
            yield Reading(each.task_manager.id, (each.own_bytes + workers) / limit, detail)


def _used(scope: Scope, memory: Callable[[TaskManager], tuple[int, int] | None]) -> Iterator[Reading]:
    for manager in scope.task_managers:
        if found := memory(manager):
            used, limit = found
            yield Reading(manager.id, used / limit, f"{_mb(used)} of {_mb(limit)}")


def _disks(folders: Iterable[Path]) -> Iterator[Reading]:
    """Yield a reading for each disk, under the name of its first folder."""
    seen: set[int] = set()
    for folder in folders:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if (device := there.stat().st_dev) not in seen:
            seen.add(device)
            disk = shutil.disk_usage(there)
            share = 1 - disk.free / min(disk.total, LARGE_DISK_BYTES)
            yield Reading(
                str(folder), max(0.0, share), f"{disk.free / GB:,.1f} GB of {disk.total / GB:,.0f} GB are free"
            )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
