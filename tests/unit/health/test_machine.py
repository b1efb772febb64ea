"""Disks of this machine and memory of TaskManagers have the share that is in use."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from ops.health.answers.cluster import TaskManager
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
