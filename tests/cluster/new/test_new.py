"""Drafts of `ops new` whose decisions are made: planned, and run on a mini-cluster of their own."""

from pathlib import Path

from tests.builders.walk_through import run, walk_through


def test_drafted_pipeline_and_job_do_what_was_decided(tmp_path: Path) -> None:
    walked = walk_through(tmp_path / "checkout")

    run(walked, "ops", "sql", "plan", "refunds_per_hour", "--keep")

    assert "sql/pipelines/refunds_per_hour.sql: ok" in run(walked, "ops", "sql", "check", "refunds_per_hour")
    tests = ("tests/cluster/sql/test_sql_pipelines.py", "tests/cluster/jobs/test_large_refunds.py")
    assert "3 passed" in run(walked, "pytest", "-q", *tests, "-k", "refunds")
