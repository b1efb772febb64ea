"""A pipeline in a cluster of its own: it makes checkpoints, and what it fails of is told in words."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from local.settings import CHECKOUT

DEADLINE_SECONDS = 240
# A file is only finished when a checkpoint is.
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


def started(file: Path, *options: str) -> subprocess.Popen[bytes]:
    """A process that runs it; what it prints goes to a file beside it, which the JVM may hold open for longer."""
    # A shell without job control has what runs in its background ignore SIGINT, tests too, and that is inherited.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "ops", "sql", "run", str(file), *options]
    with file.with_suffix(".said").open("w") as said:
        return subprocess.Popen(command, cwd=CHECKOUT, stdout=said, stderr=said)


def test_a_run_here_makes_checkpoints(tmp_path: Path) -> None:
    file, folder = tmp_path / "endless.sql", tmp_path / "kept"
    file.write_text(ENDLESS.format(folder=folder.as_uri()))

    run = started(file, "-D", "execution.checkpointing.interval=1s", "-D", "execution.checkpointing.min-pause=200ms")
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not list(folder.glob("part-*")):
            assert run.poll() is None, file.with_suffix(".said").read_text()
            assert time.monotonic() < deadline, "no file was finished"
            time.sleep(0.2)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(timeout=60)

    said = file.with_suffix(".said").read_text()
    assert "endless runs here, in a cluster of its own, with checkpoints as on the cluster" in said


def test_what_a_run_here_fails_of_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "failing.sql"
    file.write_text(FAILING)

    run = started(file)
    try:
        run.wait(timeout=DEADLINE_SECONDS)
    finally:
        run.kill()

    said = file.with_suffix(".said").read_text()
    assert run.returncode == 1, said
    assert f"Error: {file}: the job failed: NumberFormatException: " in said
    assert "Traceback" not in said
