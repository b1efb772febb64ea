"""Disks of this machine and memory of TaskManagers have the share that is in use."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from ops.health.answers import processes
from ops.health.answers.cluster import TaskManager
from ops.health.answers.processes import ProcessMemory
from ops.health.check import Reading
from ops.health.measures import machine
from ops.jobs import lost_jobs
from tests.builders.health import scope, values

Disk = namedtuple("Disk", "total used free")
GB = 1_000_000_000


def disk(monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
    """Let every disk have this size and free space in GB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(total * GB, (total - free) * GB, free * GB))


@pytest.mark.parametrize(
    ("total", "free", "share"), [(40, 4, 0.9), (40, 40, 0), (4_000, 200, 0), (4_000, 10, 0.9), (4_000, 3, 0.97)]
)
def test_only_the_last_part_of_a_large_disk_counts(
    total: int, free: int, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk(monkeypatch, total, free)

    [reading] = machine.checkpoint_disks(scope(flink_folders=[tmp_path]))

    assert reading.value == pytest.approx(share)
    assert reading.detail == f"{free}.0 GB of {total:,} GB are free"


def test_folders_on_one_disk_are_one_reading_also_before_they_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk(monkeypatch, 40, 20)
    folders = [tmp_path / "checkpoints", tmp_path / "a" / "savepoints"]

    assert values(list(machine.checkpoint_disks(scope(flink_folders=folders)))) == {str(folders[0]): 0.5}
    assert list(machine.checkpoint_disks(scope(flink_folders=[]))) == []


def test_disk_of_the_local_stack_counts_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 40, 20)
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path / "state"))
    assert list(machine.stack_disk(scope())) == []

    (tmp_path / "state").mkdir()
    assert values(list(machine.stack_disk(scope()))) == {str(tmp_path / "state"): 0.5}


def test_folders_of_a_cluster_elsewhere_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = {lost_jobs.CHECKPOINTS: f"file://{tmp_path}/checkpoints", lost_jobs.SAVEPOINTS: "s3://bucket/saved"}
    monkeypatch.setattr(lost_jobs, "_configuration", lambda _: configuration)

    assert scope().flink_folders == [tmp_path / "checkpoints"]


def test_memory_of_task_managers_has_the_share_that_is_used() -> None:
    found = scope(
        task_managers=[TaskManager("tm-1", (900, 1_000), (50_000_000, 100_000_000), 250.0), TaskManager("tm-2")]
    )

    assert values(list(machine.heap(found))) == {"tm-1": 0.9}
    assert list(machine.metaspace(found)) == [Reading("tm-1", 0.5, "50 MB of 100 MB")]
    assert list(machine.garbage_collection(found)) == [Reading("tm-1", 0.25)]


def test_process_of_a_task_manager_counts_with_its_python_workers() -> None:
    manager = TaskManager("tm-1", process_bytes=1_600_000_000)
    found = [
        ProcessMemory(manager, 1_200_000_000, (300_000_000, 100_000_000)),
        ProcessMemory(TaskManager("tm-2"), 1_200_000_000),
    ]

    assert list(machine.process_memory(scope(task_manager_processes=found))) == [
        Reading("tm-1", 1, "1,200 MB, and 400 MB in 2 workers, of 1,600 MB")
    ]


class Listener:
    """A real process whose command line says what the test wants, and that listens on a port."""

    def __init__(self, *arguments: str) -> None:
        program = (
            "import socket, subprocess, sys\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "worker = [sys.executable, '-c', 'import sys; sys.stdin.read()', sys.argv[2]]\n"
            "started = subprocess.Popen(worker, stdin=subprocess.PIPE)\n"
            "print(server.getsockname()[1], flush=True)\n"
            "sys.stdin.read()\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate("\n")


def test_process_that_listens_at_a_task_manager_s_port_is_measured_with_its_workers() -> None:
    with (
        Listener("org.apache.flink.runtime.taskexecutor.TaskManagerRunner", processes.WORKER) as manager,
        Listener("another.Program", processes.WORKER) as other,
    ):
        known = [TaskManager("here", data_port=manager.port), TaskManager("elsewhere", data_port=other.port)]
        [found] = processes.local_processes([*known, TaskManager("gone", data_port=1)])

    assert found.task_manager.id == "here"
    assert found.own_bytes > 1_000_000
    assert len(found.worker_bytes) == 1
    assert found.worker_bytes[0] > 1_000_000
