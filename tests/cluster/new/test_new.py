"""Drafts of `ops new` whose decisions are made: they pass every check, and run on a mini-cluster of their own."""

import shutil
from pathlib import Path

import pytest

from local.settings import CHECKOUT
from tests.builders.walk_through import run, walk_through
from tools.todos import open_decisions


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which the commands of the document were run."""
    copy = walk_through(tmp_path_factory.mktemp("walk-through") / "checkout")
    if (cache := CHECKOUT / ".mypy_cache").exists():  # without its cache mypy reads all of Python's library first
        shutil.copytree(cache, copy / cache.name)
    return copy


def test_completed_drafts_pass_format_lint_types_and_duplicate_checks(walked: Path) -> None:
    assert list(open_decisions(walked)) == []
    run(walked, "ruff", "format", "--check", ".")
    run(walked, "ruff", "check", ".")
    run(walked, "tools.duplicates", "events", "udfs", "jobs", "ops", "tests")
    run(walked, "mypy")


def test_completed_drafts_agree_with_the_contract_and_the_data_flow(walked: Path) -> None:
    tests = (
        "topics/test_contract",
        "demo/test_demo_balances",
        "docs/test_readme",
        "sql/test_pipeline_cases",
        "tools/test_data_flow",
    )
    run(walked, "pytest", "-q", *(f"tests/unit/{test}.py" for test in tests))
    run(walked, "pytest", "-q", "tests/unit/docs/test_documents.py", "-k", "data_flow")


def test_drafted_rule_is_valid_once_its_condition_is_written(walked: Path) -> None:
    assert "11 rules" in run(walked, "ops", "rulesets", "publish", "udfs/fraud/rulesets/default.toml", "--dry-run")


def test_drafted_pipeline_and_job_do_what_was_decided(walked: Path) -> None:
    run(walked, "ops", "sql", "plan", "refunds_per_hour", "--keep")

    tests = ("sql/test_sql_pipelines.py", "sql/test_sql_planning.py", "jobs/test_large_refunds.py")
    passed = run(walked, "pytest", "-q", *(f"tests/cluster/{each}" for each in tests), "-k", "refunds")
    assert "5 passed" in passed
