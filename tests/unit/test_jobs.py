"""What is reported of a job that fails again and again."""

from datetime import UTC, datetime, timedelta

import pytest

from ops.jobs import Failure, Restarts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def failures(*minutes: float) -> list[Failure]:
    """Failures so many minutes after noon, the latest first."""
    return [Failure(NOON + timedelta(minutes=each), f"cause of {each}") for each in sorted(minutes, reverse=True)]


@pytest.mark.parametrize(
    ("found", "after_minutes", "cell"),
    [
        (Restarts(0, []), 0, "0"),
        (Restarts(1, failures(0)), 1, "1, last at 2026-03-01 12:00:00 UTC"),
        (Restarts(3, failures(0, 1, 1.5)), 2, "3, failing since 2026-03-01 12:00:00 UTC"),
        (Restarts(3, failures(0, 30, 30.5)), 31, "3, failing since 2026-03-01 12:30:00 UTC"),
        (Restarts(3, failures(0, 1, 1.5)), 60, "3, last at 2026-03-01 12:01:30 UTC"),
        (Restarts(99, failures(0, 1), more_failures=True), 2, "99, failing since before 2026-03-01 12:00:00 UTC"),
        (Restarts(99, failures(0, 30, 31), more_failures=True), 32, "99, failing since 2026-03-01 12:30:00 UTC"),
    ],
)
def test_restarts_are_counted_with_when_the_job_began_to_fail(found: Restarts, after_minutes: float, cell: str) -> None:
    assert found.in_short(NOON + timedelta(minutes=after_minutes)) == cell


def test_failures_that_go_on_are_reported_with_their_begin_and_the_last_cause() -> None:
    assert Restarts(2, failures(0, 1)).in_full() == (
        "failed again and again since 2026-03-01 12:00:00 UTC, the last time at 2026-03-01 12:01:00 UTC:\ncause of 1"
    )


def test_a_single_failure_is_reported_with_its_cause() -> None:
    assert Restarts(1, failures(0)).in_full() == "failed at 2026-03-01 12:00:00 UTC:\ncause of 0"
