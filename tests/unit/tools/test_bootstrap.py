"""The way from a bare clone: the choice of Python, and whether what is installed is still right."""

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path
from unittest import mock

import pytest

from tools import bootstrap
from tools.bootstrap import find_python
from tools.install import Environment, InstallError, install, without_pip_configuration


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_supported_python_is_used() -> None:
    assert find_python([sys.executable]) == (sys.executable, [])


def test_unsuitable_python_is_skipped_with_the_reason(tmp_path: Path) -> None:
    newer = script(tmp_path / "newer", "echo 3.13")
    shim = script(tmp_path / "shim", "echo 'pyenv: python3.12: command not found' >&2", "exit 127")
    bare = script(tmp_path / "bare", "echo 3.11", "exit 1")
    absent = str(tmp_path / "absent")

    found, rejected = find_python([newer, shim, bare, absent, sys.executable])

    assert found == sys.executable
    assert rejected[:3] == [
        f"{newer}: is Python 3.13",
        f"{shim}: does not run",
        f"{bare}: has no venv or ensurepip module",
    ]
    assert rejected[3].startswith(f"{absent}: does not run (")


def test_search_without_a_suitable_python_finds_none(tmp_path: Path) -> None:
    found, rejected = find_python([script(tmp_path / "older", "echo 3.10")])

    assert found is None
    assert len(rejected) == 1


def test_bootstrap_can_be_read_by_older_pythons() -> None:
    source = Path(bootstrap.__file__).read_text()

    assert ast.parse(source, feature_version=(3, 8))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "checkout", "cp311")
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(sys.executable)
    made.lock.write_text("click==8.1\n")
    made.mark_current()
    return made


def test_complete_environment_is_kept(environment: Environment) -> None:
    assert environment.is_current()


def test_incomplete_environment_is_created_again(environment: Environment) -> None:
    (environment.folder / "millrace.stamp").unlink()

    assert not environment.is_current()


def test_changed_lock_creates_another_environment(environment: Environment) -> None:
    environment.lock.write_text("click==8.2\n")

    assert not environment.is_current()


def test_changed_python_creates_another_environment(environment: Environment) -> None:
    other = Environment(environment.checkout, "cp312")

    assert not other.is_current()


def test_moved_checkout_creates_another_environment(environment: Environment) -> None:
    moved = Environment(environment.checkout.rename(environment.checkout.with_name("moved")), "cp311")

    assert not moved.is_current()


def test_environment_without_its_python_is_created_again(environment: Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python3")

    assert not environment.is_current()


@pytest.mark.parametrize("name", ["a:b", "a,b", "a;b", "a\nb"])
def test_checkout_path_with_a_path_separator_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InstallError, match="no colon, comma or semicolon can be in the path of this checkout"):
        install(Environment(tmp_path / name, "cp311"))


def test_installing_ignores_how_pip_and_python_are_configured() -> None:
    configured = {"PATH": "/bin", "PIP_FIND_LINKS": "/wheels", "PIP_TARGET": "/there", "PYTHONPATH": "/lib"}

    with mock.patch.dict(os.environ, configured, clear=True):
        assert without_pip_configuration() == {
            "PATH": "/bin",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


def test_packages_in_pythonpath_do_not_replace_those_of_the_environment(tmp_path: Path) -> None:
    made = Environment(tmp_path / "checkout", f"cp{sys.version_info.major}{sys.version_info.minor}")
    venv.create(made.folder)
    (own,) = made.folder.glob("lib/python*/site-packages")
    (own / "py4j.py").write_text("origin = 'own'")
    other = tmp_path / "Spark für alle"
    other.mkdir()
    (other / "py4j.py").write_text("origin = 'another'")
    (other / "theirs.py").touch()

    made.order_path()

    command = [made.python, "-c", "import py4j, theirs; print(py4j.origin)"]
    found = subprocess.run(command, env={"PYTHONPATH": str(other)}, capture_output=True, text=True, check=True)
    assert found.stdout == "own\n"
