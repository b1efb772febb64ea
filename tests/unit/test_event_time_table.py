"""The tests that `docs/event-time.md` names exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "event-time.md").read_text("utf-8")
LINES = [
    line for line in TEXT.splitlines() if line.startswith("| ") and "| shown by |" not in line and "---" not in line
]
NAMED = sorted(set(re.findall(r"`((?:cluster|e2e|unit)/\w+\.py::\w+|(?!tests/)[a-z_]+/[a-z_]+)`", "\n".join(LINES))))


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_or_case_exists(name: str) -> None:
    file, _, test = name.partition("::")

    found = f"\ndef {test}(" in (TESTS / file).read_text("utf-8") if test else (TESTS / "pipelines" / file).is_dir()

    assert found


def test_every_line_names_a_test() -> None:
    silent = [line for line in LINES if not any(f"`{name}`" in line for name in NAMED)]

    assert len(NAMED) > 40
    assert silent == []
