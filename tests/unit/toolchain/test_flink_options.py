"""Options by which Flink's runners find our Python."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from toolchain import scratch
from toolchain.flink_home import FlinkHome


def test_python_in_a_path_with_spaces_is_found_by_a_shell_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Köln Büro" / ".venv"
    venv.create(folder)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "ours.py").touch()
    monkeypatch.setattr(scratch, "LINKS", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))

    python = FlinkHome(tmp_path, tmp_path, tmp_path).options()["python.executable"]

    # pyflink-udf-runner.sh has the same command.
    subprocess.run(["bash", "-c", "${python} -c 'import ours'"], env={"python": python}, check=True)
