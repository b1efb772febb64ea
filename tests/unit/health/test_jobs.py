"""Measures of jobs: whether they run, fail, complete checkpoints, and keep up."""

from collections.abc import Mapping

import pytest

from ops.health.answers.brokers import Brokers
from ops.health.answers.cluster import BACK_PRESSURED, BUSY, RECORDS_IN, Vertex
from ops.health.check import Reading
from ops.health.measures import jobs
from ops.jobs.lost_jobs import LostJob, Note
from tests.builders.health import checkpoint, checkpoints, group, job, live, scope, spread, tasks, values

NOTE = Note(
    job_id="a", name="warehouse", prefix="millrace", command=("submit", "warehouse"), variables={}, savepoint=None,
    submitted_at=0,
)  # fmt: skip


def missing(found: list[object], groups: list[str], lost: list[LostJob] | None = None) -> Mapping[str, float]:
    """Return the values of the check with these jobs and groups."""
    brokers = Brokers(groups=tuple(group(name) for name in groups))
    return values(list(jobs.missing(scope(jobs=found, lost_jobs=lost or [], brokers=brokers))))


def test_job_that_runs_or_restarts_is_not_missing() -> None:
    found = [job("fraud_detection"), job("warehouse", "RESTARTING")]

    assert missing(found, ["fraud_detection"]) == {"fraud_detection": 0, "warehouse": 0}


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "FINISHED"])
def test_job_that_has_ended_is_missing(state: str) -> None:
    assert missing([job("warehouse", state)], ["warehouse"]) == {"warehouse": 1}


def test_job_that_was_started_again_is_not_missing() -> None:
    assert missing([job("warehouse"), job("warehouse", "FAILED")], ["warehouse"]) == {"warehouse": 0}


def test_group_whose_job_the_cluster_does_not_know_is_missing() -> None:
    assert missing([], ["search_index", "a_pipeline_of_a_user"]) == {"a_pipeline_of_a_user": 1, "search_index": 1}


def test_lost_job_is_missing_with_the_command_that_continues_it() -> None:
    lost = [LostJob(NOTE, "/checkpoints/a/chk-7")]

    [reading] = jobs.missing(scope(jobs=[], lost_jobs=lost, brokers=Brokers()))

    assert reading.value == 1
    assert "python -m ops submit warehouse --savepoint /checkpoints/a/chk-7" in reading.detail


@pytest.mark.parametrize(("state", "value"), [("Stable", 0), ("CompletingRebalance", 0), ("Empty", 1), ("", 1)])
def test_notifier_runs_if_its_group_has_members(state: str, value: float) -> None:
    brokers = Brokers(groups=(group("notifier", state),))

    assert values(list(jobs.missing(scope(jobs=[], lost_jobs=[], brokers=brokers)))) == {"notifier": value}


def test_interruption_lasts_since_the_change_of_state() -> None:
    found = [
        live(),
        live(job("warehouse", "RESTARTING"), since=75, failed=[70], waiting=4),
        live(job("search_index"), since=20, waiting=1),
    ]

    readings = list(jobs.interrupted(scope(live_jobs=found)))

    assert values(readings) == {"fraud_detection": 0, "warehouse": 75, "search_index": 20}
    assert readings[1].detail == "RESTARTING, 4 of 4 tasks don't run; cause 1"


def test_failures_of_the_last_ten_minutes_are_counted() -> None:
    [reading] = jobs.restarted(scope(live_jobs=[live(failed=[60, 300, 599, 601, 5000])]))

    assert reading == Reading("fraud_detection", 3, "last at 2026-03-01 11:59:00 UTC: cause 1")


def test_age_of_the_last_checkpoint_is_in_seconds() -> None:
    assert values(list(jobs.checkpoint_age(scope(checkpoints=[checkpoints(age=45)])))) == {"fraud_detection": 45}


@pytest.mark.parametrize(
    ("history", "share"),
    [
        ([], 0),
        ([checkpoint(seconds=30)], 0.3),
        ([checkpoint(seconds=30), checkpoint(seconds=90)], 0.3),
        ([checkpoint("IN_PROGRESS", age=60), checkpoint(seconds=30)], 0.6),
        ([checkpoint("IN_PROGRESS", age=1), checkpoint(seconds=30)], 0.3),
        ([checkpoint("FAILED", seconds=99), checkpoint(seconds=30)], 0.3),
    ],
    ids=["none", "last", "not the one before", "longer under way", "shorter under way", "not a failed one"],
)
def test_duration_of_a_checkpoint_is_a_share_of_its_timeout(history: list[object], share: float) -> None:
    [reading] = jobs.checkpoint_duration(scope(checkpoints=[checkpoints(*history)]))  # type: ignore[arg-type]

    assert reading.value == pytest.approx(share)


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ([], 0),
        (["COMPLETED", "FAILED"], 0),
        (["FAILED", "FAILED", "COMPLETED", "FAILED"], 2),
        (["IN_PROGRESS", "FAILED", "COMPLETED"], 1),
    ],
)
def test_failed_checkpoints_count_in_a_row(statuses: list[str], failed: int) -> None:
    history = [checkpoint(status, failure="expired" if status == "FAILED" else "") for status in statuses]

    [reading] = jobs.checkpoint_failures(scope(checkpoints=[checkpoints(*history)]))

    assert (reading.value, reading.detail) == (failed, "expired" if failed else "")


def test_busiest_step_of_a_job_counts() -> None:
    slow = Vertex("w", "Sink: alerts", 1)
    found = [tasks({BUSY: spread(100, 500)}), tasks({BUSY: spread(900)}, slow), tasks({})]

    assert list(jobs.busy(scope(tasks=found))) == [Reading("fraud_detection", 0.9, "Sink: alerts")]


def test_most_back_pressured_step_of_a_job_counts() -> None:
    found = [tasks({BACK_PRESSURED: spread(0, 400)}), tasks({BACK_PRESSURED: spread(100)})]

    assert values(list(jobs.back_pressured(scope(tasks=found)))) == {"fraud_detection": 0.4}


def test_skew_is_the_multiple_of_the_average() -> None:
    [reading] = jobs.skew(scope(tasks=[tasks({RECORDS_IN: spread(300, 100)})]))

    assert reading == Reading(
        "fraud_detection: Source: records of payments[1]", 1.5, "300 records/s on one subtask, 200 on average"
    )


@pytest.mark.parametrize(("rates", "parallelism"), [((40, 0), 2), ((1000,), 1)], ids=["few records", "one subtask"])
def test_skew_of_few_records_or_one_subtask_is_not_measured(rates: tuple[float, ...], parallelism: int) -> None:
    found = tasks({RECORDS_IN: spread(*rates)}, Vertex("v", "Calc", parallelism))

    assert list(jobs.skew(scope(tasks=[found]))) == []


def test_long_name_of_a_step_is_cut_to_its_beginning() -> None:
    assert Vertex("v", f"{'x' * 80} -> Calc", 1).in_short == f"{'x' * 59}…"


@pytest.mark.parametrize(
    ("completed", "size", "median", "growth"),
    [
        (30, 60_000_000, 20_000_000.0, {"fraud_detection": 3}),
        (30, 50_000_000, 0.0, {"fraud_detection": 50}),
        (29, 60_000_000, 20_000_000.0, {}),
        (500, 49_000_000, 1_000.0, {}),
        (0, 0, float("nan"), {}),
    ],
    ids=["large", "nothing before", "new job", "small", "no checkpoint"],
)
def test_growth_of_a_state_is_against_its_median(
    completed: int, size: int, median: float, growth: dict[str, float]
) -> None:
    found = checkpoints(completed=completed, state_bytes=size, median_state_bytes=median)

    assert values(list(jobs.checkpoint_growth(scope(checkpoints=[found])))) == growth
