"""A job that restarts for another reason than a kill fails a run of the chaos runner."""

from datetime import UTC, datetime, timedelta

from ops.jobs.cluster_jobs import Failure
from tests.chaos.restart_check import EXPLAINED_WITHIN, unexplained

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def failures(*seconds_after_noon: int) -> dict[str, list[Failure]]:
    return {
        "warehouse": [Failure(NOON + each * SECOND, "OverflowError: too large\nat x") for each in seconds_after_noon]
    }


def test_restarts_within_the_declared_time_after_a_kill_are_explained() -> None:
    assert unexplained([NOON], failures(0, 5, EXPLAINED_WITHIN.seconds)) == []


def test_restart_before_the_first_kill_is_a_fault_with_its_cause() -> None:
    assert unexplained([NOON], failures(-1)) == [
        "warehouse restarted at 11:59:59 UTC, with no kill in the 90 s before: OverflowError: too large"
    ]


def test_restart_long_after_the_last_kill_is_a_fault() -> None:
    late = EXPLAINED_WITHIN.seconds + 1

    assert len(unexplained([NOON], failures(late))) == 1
    assert unexplained([NOON, NOON + SECOND], failures(late)) == []


def test_each_restart_without_any_kill_is_a_fault() -> None:
    assert len(unexplained([], failures(1, 2))) == 2
