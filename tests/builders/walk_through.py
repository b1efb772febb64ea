"""The walk-through of `docs/write-your-own.md`: its commands in a copy of the checkout, with their decisions made."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from local.settings import CHECKOUT
from tests.builders.checkout import copied_checkout

DECISIONS = Path(__file__).with_suffix(".toml")
COMMAND = re.compile(r"^\.venv/bin/python -m (ops new .+)$", re.MULTILINE)


def walk_through(folder: Path) -> Path:
    """Run the document's commands one after the other; make each one's decisions before the next.

    Returns:
        The copy.
    """
    copy = copied_checkout(folder)
    decisions = tomllib.loads(DECISIONS.read_text("utf-8"))["decision"]
    for command in COMMAND.findall((copy / "docs" / "write-your-own.md").read_text("utf-8")):
        run(copy, *shlex.split(command))
        drafted = [each for each in decisions if each["open"] in _text(copy / each["file"])]
        for each in drafted:
            _decide(copy / each["file"], each["open"], each["decided"])
        decisions = [each for each in decisions if each not in drafted]
    assert decisions == []
    run(copy, "ops", "schemas", "release")
    run(copy, "tools.data_flow")
    return copy


def run(copy: Path, module: str, *arguments: str) -> str:
    """Run a module in the copy, and return its output.

    Raises:
        AssertionError: the module failed.
    """
    done = subprocess.run(
        [copy / Path(sys.executable).relative_to(CHECKOUT), "-m", module, *arguments],
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{module} {shlex.join(arguments)}\n{done.stdout}"
    return done.stdout


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""


def _decide(file: Path, open_: str, decided: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(open_) == 1, f"{file}: {open_!r} is there {text.count(open_)} times"
    file.write_text(text.replace(open_, decided), "utf-8")
