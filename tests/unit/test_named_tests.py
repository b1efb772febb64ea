"""The tests that tables of `docs/` name exist, and run when the tables say so."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
NAME = re.compile(r"`((?:cluster|e2e|unit)/\w+\.py::\w+|(?!tests/)[a-z_]+/[a-z_]+)`([†‡]?)")
IN_FULL_ONLY, LONGER_IN_FULL = "†", "‡"


def lines(document: str) -> list[str]:
    """Lines of its tables, without their heads."""
    text = (DOCS / document).read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("| ") and "| shown by |" not in line]


LINES = {document: lines(document) for document in ("event-time.md", "failures.md")}
NAMED = {document: sorted(set(NAME.findall("\n".join(LINES[document])))) for document in LINES}


@cache
def module(file: str) -> ast.Module:
    """A file of tests."""
    return ast.parse((TESTS / file).read_text("utf-8"))


def mark(file: str, test: str) -> str:
    """When a test runs: the sign that failures.md gives it.

    Raises:
        StopIteration: there is no such test.
    """
    body = module(file).body
    function = next(each for each in body if isinstance(each, ast.FunctionDef) and each.name == test)
    constants = {
        target.id: ast.unparse(each.value)
        for each in body
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    decorators = [ast.unparse(each) for each in function.decorator_list]
    if "pytest.mark.full" in {*decorators, constants.get("pytestmark", "")}:
        return IN_FULL_ONLY
    words = " ".join(decorators)
    some_are_full = "mark.full" in words + "".join(value for name, value in constants.items() if name in words)
    return LONGER_IN_FULL if some_are_full or "outage_seconds" in ast.unparse(function.args) else ""


@pytest.mark.parametrize("name", sorted({name for named in NAMED.values() for name, _ in named}))
def test_named_test_or_case_exists(name: str) -> None:
    file, _, test = name.partition("::")

    found = f"\ndef {test}(" in (TESTS / file).read_text("utf-8") if test else (TESTS / "pipelines" / file).is_dir()

    assert found


@pytest.mark.parametrize(("name", "sign"), NAMED["failures.md"])
def test_sign_of_a_failure_s_test_says_when_it_runs(name: str, sign: str) -> None:
    assert sign == mark(*name.split("::"))


@pytest.mark.parametrize("document", LINES)
def test_every_line_names_a_test(document: str) -> None:
    silent = [line for line in LINES[document] if not NAME.search(line) and not line.startswith("| ---")]

    assert len(NAMED[document]) > 40
    assert silent == []
