"""Changes to a checkout: all are planned and checked before the first is written."""

import re
import subprocess
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from connectors.process_environment import child_environment

DRAFTS = Path(__file__).parent / "drafts"
TODO = "TODO"
"""Mark of a decision in a draft; `make check` fails while one is left."""

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(DRAFTS),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)


class DraftError(click.ClickException):
    """A draft can't be written; the message gives the fault, the place and the remedy. Nothing was written."""


def rendered(draft: str, **values: object) -> str:
    """Fill a file of `drafts/`."""
    return _ENVIRONMENT.get_template(draft).render(values)


class Changes:
    """New files, and additions to files that are there."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}

    def has(self, path: str) -> bool:
        """Return whether there is such a file, or will be."""
        return path in self._after or (self._checkout / path).exists()

    def add(self, path: str, draft: str, **values: object) -> None:
        """Plan a new file.

        Args:
            path: in the checkout.
            draft: a file of `drafts/`.

        Raises:
            DraftError: there is such a file.
        """
        if self.has(path):
            raise DraftError(f"{path} is there already, and is not overwritten: choose another name, or edit the file")
        self._before[path] = ""
        self._after[path] = self._formatted(path, rendered(draft, **values))

    def insert(self, path: str, where: str, place: str, text: str) -> None:
        """Plan an addition.

        Args:
            path: in the checkout, or absolute.
            where: behind what it is to stand, in words.
            place: the same as a regular expression that matches once in the file.

        Raises:
            DraftError: there is no such file, or no such place in it.
        """
        before = self._text(path)
        found = list(re.finditer(place, before, re.MULTILINE | re.DOTALL))
        if len(found) != 1:
            problem = "isn't found" if not found else f"is there {len(found)} times"
            raise DraftError(
                f"{path}: {where} {problem}, behind which this would stand; nothing was written. Restore it, or add "
                f"by hand what the others of its kind have:\n{text.strip()}"
            )
        end = found[0].end()
        self._after[path] = self._formatted(path, before[:end] + text + before[end:])

    def refuse(self, path: str, pattern: str, name: str) -> None:
        """Check that a name is free.

        Raises:
            DraftError: the regular expression matches in the file.
        """
        if re.search(pattern, self._text(path), re.MULTILINE):
            raise DraftError(f"{path} has {name} already: choose another name")

    def shown(self) -> Iterator[str]:
        """Yield what is to be written: new files by name, additions as a diff without context."""
        for path, after in self._after.items():
            before = self._before[path]
            if not before:
                yield f"new     {path}, {len(after.splitlines())} lines"
                continue
            yield f"change  {path}"
            lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
            yield from (f"        {line}" for line in lines if re.match(r"[+-](?!\+\+ |-- )", line))

    def write(self) -> None:
        """Write all changes."""
        for path, after in self._after.items():
            file = self._checkout / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(after, encoding="utf-8")

    def _text(self, path: str) -> str:
        if path not in self._after:
            try:
                self._after[path] = self._before[path] = (self._checkout / path).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise DraftError(f"{path} can't be read, but is to be added to: {error}; restore it first") from error
        return self._after[path]

    def _formatted(self, path: str, text: str) -> str:
        """Format Python as `make fix` does: imports and `__all__` in order, long lines broken."""
        if not path.endswith(".py"):
            return text
        # Of a module that isn't written yet ruff can't find out that it is ours.
        ours = [file.parent.name for file in self._checkout.glob("*/__init__.py")]
        sort = ("check", "--fix-only", "--select", "I,RUF022", "--config", f"lint.isort.known-first-party={ours}")
        for arguments in (sort, ("format",)):
            ruff = [str(Path(sys.executable).parent / "ruff"), *arguments, "--quiet"]
            done = subprocess.run(
                [*ruff, "--stdin-filename", str(self._checkout / path), "-"],
                input=text,
                cwd=self._checkout,
                env=child_environment({"NO_COLOR": "1"}),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise DraftError(f"{path} would be no Python, so correct the file first: {done.stderr.strip()}")
            text = done.stdout
        return text
