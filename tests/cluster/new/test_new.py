"""Drafts of `ops new` whose decisions are made: planned, and run on a mini-cluster of their own."""

from pathlib import Path

from tests.builders.walk_through import run, walk_through


def test_drafted_pipeline_and_job_do_what_was_decided(tmp_path: Path) -> None:
    walked = walk_through(tmp_path / "checkout")

    run(walked, "ops", "sql", "plan", "refunds_per_hour", "--keep")

    tests = ("sql/test_sql_pipelines.py", "sql/test_sql_planning.py", "jobs/test_large_refunds.py")
    passed = run(walked, "pytest", "-q", *(f"tests/cluster/{each}" for each in tests), "-k", "refunds")
    assert "5 passed" in passed
