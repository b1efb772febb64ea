"""The tests that tables and decisions of `docs/` name exist, and run in the targets that the tables name."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
DOCS = TESTS.parent / "docs"
NAME = re.compile(r"`((?:cluster|e2e|unit)/[\w/]+\.py::\w+|(?!tests/)[a-z_]+/[a-z_]+)`([†‡]?)")
IN_FULL_ONLY, LONGER_IN_FULL = "†", "‡"


def lines(document: str) -> list[str]:
    """Return the lines of the document's tables, without their heads."""
    text = (DOCS / document).read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("| ") and "| shown by |" not in line]


LINES = {document: lines(document) for document in ("event-time.md", "failures.md")}
DECISIONS = {path.name: path.read_text("utf-8") for path in sorted((DOCS / "decisions").glob("0*.md"))}
PARTS = ("Context", "Decision", "Consequences", "Held by")
NAMED = {document: sorted(set(NAME.findall("\n".join(LINES[document])))) for document in LINES}

_FRAUD, _CAPTURE = "e2e/jobs/test_fraud_detection.py", "e2e/capture/test_change_data.py"
_NOTIFIER, _TOPICS = "e2e/notifier/test_notifier.py", "e2e/topics/test_topics_and_schemas.py"
_KILLS = f"{_FRAUD}::test_one_kill_of_each_kind_loses_no_alert_and_adds_no_other"
IN_EVERY_RUN = {
    "TaskManager": _KILLS,
    "Python worker": _KILLS,
    "broker": _KILLS,
    "Connect": f"{_CAPTURE}::test_killed_connect_and_postgresql_lose_and_repeat_no_change",
    "PostgreSQL": f"{_CAPTURE}::test_killed_connect_and_postgresql_lose_and_repeat_no_change",
    "Elasticsearch": "e2e/search/test_search_index.py::test_busy_read_only_or_killed_elasticsearch_loses_no_document",
    "mail server": f"{_NOTIFIER}::test_notifier_waits_for_an_unavailable_mail_server_and_loses_nothing",
    "registry": f"{_TOPICS}::test_killed_registry_is_reported_and_filled_again_by_register",
    "replay": f"{_FRAUD}::test_topic_replay_by_another_group_gives_the_same_alerts",
    "savepoint": f"{_FRAUD}::test_restart_from_a_savepoint_changes_no_alert",
    "demo": "e2e/demo/test_demo.py::test_demo_passes_every_check_and_shuts_everything_down",
}
"""A test of each kind of fault that `make test` must not leave to `make test-full`."""


def held_by(decision: str) -> list[str]:
    """Return the tests that a decision names."""
    return re.findall(r"`((?:cluster|e2e|unit)/[\w/]+\.py::\w+)`", decision)


@cache
def module(file: str) -> ast.Module:
    """Return a parsed file of tests."""
    return ast.parse((TESTS / file).read_text("utf-8"))


def mark(file: str, test: str) -> str:
    """When a test runs: the sign that failures.md gives it.

    Raises:
        StopIteration: there is no such test.
    """
    body = module(file).body
    function = next(each for each in body if isinstance(each, ast.FunctionDef) and each.name == test)
    constants = {
        name.id: ast.unparse(each.value)
        for each in body
        if isinstance(each, ast.Assign)
        for target in each.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    decorators = [ast.unparse(each) for each in function.decorator_list]
    if "pytest.mark.full" in {*decorators, constants.get("pytestmark", "")}:
        return IN_FULL_ONLY
    arguments = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    fixtures = [each for each in body if isinstance(each, ast.FunctionDef) and each.name in arguments]
    words = " ".join([*decorators, *(ast.unparse(line) for each in fixtures for line in each.decorator_list)])
    some_are_full = "mark.full" in words + "".join(value for name, value in constants.items() if name in words)
    return LONGER_IN_FULL if some_are_full or "outage_seconds" in arguments else ""


@pytest.mark.parametrize(
    "name",
    sorted(
        {name for named in NAMED.values() for name, _ in named}
        | {name for decision in DECISIONS.values() for name in held_by(decision)}
    ),
)
def test_named_test_or_case_exists(name: str) -> None:
    file, _, test = name.partition("::")

    found = f"\ndef {test}(" in (TESTS / file).read_text("utf-8") if test else (TESTS / "pipelines" / file).is_dir()

    assert found


@pytest.mark.parametrize(("name", "sign"), NAMED["failures.md"])
def test_sign_of_a_failure_s_test_shows_when_it_runs(name: str, sign: str) -> None:
    assert sign == mark(*name.split("::"))


@pytest.mark.parametrize("name", IN_EVERY_RUN.values(), ids=IN_EVERY_RUN)
def test_one_fault_of_each_kind_is_in_every_run(name: str) -> None:
    assert mark(*name.split("::")) != IN_FULL_ONLY


@pytest.mark.parametrize("document", LINES)
def test_every_line_names_a_test(document: str) -> None:
    silent = [line for line in LINES[document] if not NAME.search(line) and not line.startswith("| ---")]

    assert len(NAMED[document]) > 40
    assert silent == []


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    index = (DOCS / "decisions" / "README.md").read_text("utf-8")
    rows = [f"| [{number}]({name}) | " for number, name in enumerate(DECISIONS, start=1)]

    assert [int(name[:4]) for name in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert [row for row in rows if row not in index] == []


@pytest.mark.parametrize("name", DECISIONS)
def test_decision_has_its_parts_and_names_a_test(name: str) -> None:
    text = DECISIONS[name]
    title, listed = text.partition("\n")[0], (DOCS / "decisions" / "README.md").read_text("utf-8")

    assert title.startswith(f"# Decision {int(name[:4])}: ")
    assert f"]({name}) | {title.partition(': ')[2]} |" in listed
    assert re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE) == list(PARTS)
    assert held_by(text)
