"""Decisions that a draft of `python -m ops new` has left open: `python -m tools.todos` names file and line of each."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ops.new.changes import TODO

PLACES = (
    *("events", "udfs", "sql", "connectors", "toolchain", "jvm", "jobs", "flink-conf", "ops", "notifier", "local"),
    *("tests/builders/events.py", "tests/cluster", "tests/pipelines"),
)
"""Places of the checkout that are searched: the product, and the tests that drafts are added to."""
COMMANDS = "ops/new"
"""Folder that is left out, since it names the mark itself."""
SUFFIXES = {".java", ".json", ".jsonl", ".properties", ".py", ".sql", ".toml", ".txt", ".yaml"}


def open_decisions(checkout: Path) -> Iterator[str]:
    """Yield each line with a mark, after its file and number."""
    for file in sorted(file for place in PLACES for file in _files(checkout / place)):
        if file.suffix not in SUFFIXES or file.is_relative_to(checkout / COMMANDS):
            continue
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            if re.search(rf"\b{TODO}\b", line):
                yield f"{file.relative_to(checkout)}:{number}: {line.strip()}"


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [*place.rglob("*")]


def main() -> int:
    """Print the open decisions."""
    found = list(open_decisions(Path(__file__).parents[1]))
    for line in found:
        print(f"{line}\n    decide, and replace it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
