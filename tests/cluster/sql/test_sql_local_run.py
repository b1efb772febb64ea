"""A pipeline in a cluster of its own: it makes checkpoints, reports why it fails, and leaves no temporary files."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local.settings import CHECKOUT
from tests.services.service_process import HEARS_CTRL_C

DEADLINE_SECONDS = 240
# A file is finished only when a checkpoint is.
ENDLESS = """\
CREATE TABLE numbers (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE kept (a INT) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'csv');
INSERT INTO kept SELECT a FROM numbers;
"""
FAILING = """\
CREATE TABLE numbers (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5');
CREATE TABLE kept (a INT) WITH ('connector' = 'blackhole');
INSERT INTO kept SELECT CAST(CONCAT('x', CAST(a AS STRING)) AS INT) FROM numbers;
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of the processes that a test starts."""
    folder = tmp_path / "für alle"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def started(file: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a process that runs the file; its output goes to a file beside it, which the JVM may keep open longer."""
    command = [*HEARS_CTRL_C, sys.executable, "-m", "ops", "sql", "run", str(file), *options]
    with file.with_suffix(".output").open("w") as output:
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=output, stderr=output)


@contextmanager
def endless_run(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pipeline that has made checkpoints and continues; kill it at the end if it still runs."""
    file, kept = folder / "endless.sql", folder / "kept"
    file.write_text(ENDLESS.format(folder=kept.as_uri()))
    run = started(file, "-D", "execution.checkpointing.interval=1s", "-D", "execution.checkpointing.min-pause=200ms")
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not list(kept.glob("part-*")):
            assert run.poll() is None, file.with_suffix(".output").read_text()
            assert time.monotonic() < deadline, "no file was finished"
            time.sleep(0.2)
        yield run
    finally:
        run.kill()
        run.wait()


def failed_run(file: Path) -> tuple[int, str]:
    """Write the file of a pipeline that fails, and run it; return the exit status and the output."""
    file.write_text(FAILING)
    run = started(file)
    try:
        status = run.wait(timeout=DEADLINE_SECONDS)
    finally:
        run.kill()
    return status, file.with_suffix(".output").read_text()


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_run_leaves_no_file_and_prints_no_traceback(
    tmp_path: Path, temporary: Path, number: signal.Signals
) -> None:
    with endless_run(tmp_path) as run:
        run.send_signal(number)
        run.wait(timeout=60)

    assert "Traceback" not in (tmp_path / "endless.output").read_text()
    assert not list(temporary.iterdir())


@pytest.mark.full
def test_run_removes_what_a_killed_one_left(tmp_path: Path, temporary: Path) -> None:
    with endless_run(tmp_path) as run:
        assert list(temporary.glob("*/checkpoints/*/chk-*"))
        [jvm] = psutil.Process(run.pid).children()
        run.kill()
        jvm.wait(timeout=60)
    [left] = temporary.iterdir()

    status, output = failed_run(tmp_path / "failing.sql")

    assert status == 1, output
    assert not left.exists()
    assert not list(temporary.iterdir())


def test_failed_run_reports_its_cause_and_leaves_no_file(tmp_path: Path, temporary: Path) -> None:
    file = tmp_path / "failing.sql"

    status, output = failed_run(file)

    assert status == 1, output
    assert "failing runs here, in a cluster of its own, with checkpoints as on the cluster" in output
    assert f"Error: {file}: the job failed: NumberFormatException: " in output
    assert "Traceback" not in output
    assert not list(temporary.iterdir())
