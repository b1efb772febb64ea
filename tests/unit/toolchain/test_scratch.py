"""Temporary folders end with their runs, however these end; odd paths are reached by plain ones."""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.settings import CHECKOUT
from toolchain import scratch
from toolchain.cache import CacheError
from toolchain.scratch import plain_path, scratch_folder

HOLDER = """\
import sys
from toolchain.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "kept").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for temporary files, here and in processes that a test starts; links are beside it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "LINKS", tmp_path)
    return folder


@contextmanager
def run() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_folder_ends_with_its_run(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "kept").touch()

        assert folder.parent == temporary

    assert not list(temporary.iterdir())


def test_run_removes_what_a_killed_one_left(temporary: Path) -> None:
    with run() as (process, left):
        process.send_signal(signal.SIGKILL)
    assert left.is_dir()

    with scratch_folder() as own:
        assert list(temporary.iterdir()) == [own]


def test_run_removes_what_a_program_wrote_after_its_run_was_gone(temporary: Path) -> None:
    (temporary / f"{scratch.PREFIX}late" / "chk-2").mkdir(parents=True)

    with scratch_folder() as own:
        assert list(temporary.iterdir()) == [own]


def test_run_keeps_the_folders_of_other_running_runs() -> None:
    with run() as (process, folder):
        with scratch_folder():
            pass

        assert (folder / "kept").is_dir()
        process.communicate()


@pytest.mark.parametrize("name", ["Köln Büro", "Jörg's", 'a"b', "a:b", "a,b", "a;b", "a\nb", "$x"])
def test_odd_path_is_reached_by_a_plain_link(tmp_path: Path, name: str) -> None:
    odd = tmp_path / name
    odd.mkdir()

    plain = plain_path(odd)

    assert plain.resolve() == odd
    assert re.fullmatch(r"[\w/-]+", str(plain))
    assert plain_path(odd) == plain


def test_plain_path_is_used_unchanged(tmp_path: Path) -> None:
    assert plain_path(tmp_path / "Büro") == tmp_path / "Büro"


def test_odd_path_that_can_not_be_linked_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(scratch, "LINKS", tmp_path / "file")

    with pytest.raises(CacheError, match=r"Flink can't use .*/a b, which has a space.*: choose a path without"):
        plain_path(tmp_path / "a b")


def test_temporary_folder_with_an_odd_path_is_used(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    odd = temporary / "für alle"
    odd.mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))

    with scratch_folder() as folder:
        assert folder.resolve().parent == odd
        assert " " not in str(folder)
