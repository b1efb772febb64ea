"""Ownership of processes: which of them are the stack's, with real processes."""

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.stack import processes
from local.stack.processes import Surroundings

DEADLINE_SECONDS = 10.0
WAITS = (sys.executable, "-c", "import time; time.sleep(600)")
IGNORES_SIGTERM = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)",
)
STAYS_WITH_A_CHILD = (
    sys.executable,
    "-c",
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, *sys.argv[1:]], start_new_session=True);"
    " print(child.pid, flush=True); time.sleep(600)",
)
LEAVES_A_CHILD = (sys.executable, "-c", "import subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]])")


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "pid"
    yield file
    recorded = processes.read(file)
    if recorded:
        processes.stop(recorded, signal.SIGKILL, DEADLINE_SECONDS)


def start(command: tuple[str, ...], pid_file: Path) -> processes.Recorded:
    with (pid_file.parent / "output").open("wb") as output:
        processes.start(command, Surroundings({}, pid_file.parent, output, None), pid_file, "print")
    recorded = processes.read(pid_file)
    assert recorded is not None
    return recorded


def test_started_process_is_found_again(pid_file: Path) -> None:
    recorded = start(WAITS, pid_file)

    assert processes.running(pid_file) == recorded
    assert recorded.fingerprint == "print"


def test_process_that_was_killed_is_not_running(pid_file: Path) -> None:
    recorded = start(WAITS, pid_file)

    processes.kill(recorded)

    assert processes.running(pid_file) is None


def test_reused_process_id_is_not_mistaken_for_the_process(pid_file: Path) -> None:
    recorded = start(WAITS, pid_file)
    content = json.loads(pid_file.read_text())
    stale = pid_file.with_name("stale")

    stale.write_text(json.dumps(content | {"start_ticks": recorded.start_ticks - 1}))
    assert processes.running(stale) is None
    stale.write_text(json.dumps(content | {"boot": "another boot"}))
    assert processes.running(stale) is None


@pytest.mark.parametrize("content", ["", "12", "{", '{"pid": 1}'])
def test_incomplete_pid_file_is_no_process(pid_file: Path, content: str) -> None:
    pid_file.write_text(content)

    assert processes.running(pid_file) is None


def test_process_that_does_not_stop_is_killed_and_reported(pid_file: Path) -> None:
    recorded = start(IGNORES_SIGTERM, pid_file)
    with psutil.Popen(["tail", "-n", "+1", "-F", str(pid_file.parent / "output")], stdout=subprocess.PIPE) as output:
        assert output.stdout.readline() == b"ready\n"
        output.kill()

    words = processes.stop(recorded, signal.SIGTERM, 0.2)

    assert words == [f"killed process {recorded.pid}: still there 0 s after SIGTERM"]
    assert not recorded.runs()


def test_zombie_process_counts_as_ended(pid_file: Path) -> None:
    with psutil.Popen((*STAYS_WITH_A_CHILD, *WAITS[1:]), stdout=subprocess.PIPE) as parent:
        processes.record(int(parent.stdout.readline()), pid_file, "print")
        recorded = processes.running(pid_file)
        assert recorded
        began = time.monotonic()

        words = processes.stop(recorded, signal.SIGTERM, DEADLINE_SECONDS)
        took_seconds = time.monotonic() - began
        parent.kill()

    assert words == []
    assert took_seconds < DEADLINE_SECONDS


def test_child_processes_end_with_their_process(pid_file: Path) -> None:
    recorded = start((*LEAVES_A_CHILD, *WAITS[1:]), pid_file)
    parent = psutil.Process(recorded.pid)
    parent.wait(DEADLINE_SECONDS)
    (child,) = recorded.alive()

    processes.stop(recorded, signal.SIGTERM, DEADLINE_SECONDS)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_process_that_left_the_session_ends_if_program_and_folder_match(
    pid_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = pid_file.with_name("data")
    data.mkdir()
    recorded = start(WAITS, pid_file)
    left, other = (
        subprocess.Popen(WAITS, cwd=folder, start_new_session=True)
        for folder in (data, tmp_path_factory.mktemp("elsewhere"))
    )
    try:
        processes.stop(recorded, signal.SIGTERM, DEADLINE_SECONDS)

        assert left.poll() is not None
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait(DEADLINE_SECONDS)


def test_pid_file_is_readable_by_its_owner_only(pid_file: Path) -> None:
    start(WAITS, pid_file)

    assert stat.S_IMODE(pid_file.stat().st_mode) == 0o600
