"""A restart explains a duplicate only if the event was emitted shortly before it, and again after it."""

from datetime import UTC, datetime

import pytest

from local.demo.checks import duplicates
from local.demo.checks.duplicates import REPEATED_MS, SLACK_MS
from local.demo.checks.finding import Finding
from local.demo.results.observer import Observed, Written
from ops.jobs.cluster_jobs import Failure, Restarts

ALERT = Written("fraud_detection", "fraud-alerts", "a1")
LETTER = Written("warehouse", "dead-letters", "payments-0-1")
NONE = Restarts(0, [])
AT = 1_000_000


def restarts(*at_ms: int, forgotten: int = 0) -> Restarts:
    failures = [Failure(datetime.fromtimestamp(at / 1000, UTC), "cause") for at in sorted(at_ms, reverse=True)]
    return Restarts(len(failures) + forgotten, failures)


def finding(found: Restarts, *seen_at_ms: float) -> Finding:
    return duplicates.finding(Observed(seen_at_ms={ALERT: list(seen_at_ms)}), {"fraud_detection": found})


def test_no_duplicate_is_reported_if_all_events_exist_once() -> None:
    assert finding(NONE, AT) == Finding("what is written twice, a restart has repeated", "no duplicates", holds=True)


def test_duplicates_are_reported_by_topic_and_job() -> None:
    seen = Observed(seen_at_ms={ALERT: [AT - 2, AT + 2, AT + 9], LETTER: [AT - 1, AT + 1]})

    found = duplicates.finding(seen, {"fraud_detection": restarts(AT, AT + 5), "warehouse": restarts(AT)})

    assert found.holds
    assert found.found == (
        "1 in dead-letters by warehouse (1 restarts), 2 in fraud-alerts by fraud_detection (2 restarts)"
    )


def test_duplicate_without_any_restart_is_found() -> None:
    found = finding(NONE, AT, AT)

    assert not found.holds
    assert found.found.endswith("; unexplained: a1 in fraud-alerts, 2 times")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (AT - 2_000, AT - 1_000),
        (AT - REPEATED_MS - 1, AT + 1_000),
        (AT + SLACK_MS + 1, AT + SLACK_MS + 2),
    ],
    ids=["both before the restart", "long before the restart", "both after the restart"],
)
def test_duplicate_that_a_restart_does_not_explain_is_found(first: int, again: int) -> None:
    assert not finding(restarts(AT), first, again).holds


def test_job_that_emits_everything_twice_is_found_despite_a_restart() -> None:
    twice = {Written("fraud_detection", "fraud-alerts", f"a{at}"): [at, at + 1] for at in range(0, 2 * AT, 1_000)}

    found = duplicates.finding(Observed(seen_at_ms=dict(twice)), {"fraud_detection": restarts(AT)})

    assert not found.holds


def test_one_restart_does_not_explain_two_duplicates() -> None:
    assert not finding(restarts(AT), AT - 1, AT + 1, AT + 2).holds


def test_duplicate_read_with_its_first_after_a_broker_outage_is_explained() -> None:
    assert finding(restarts(AT), AT + 20_000, AT + 20_000).holds


def test_restart_that_flink_forgot_explains_earlier_duplicates() -> None:
    assert finding(restarts(AT, forgotten=1), AT - 90_000, AT - 80_000).holds
    assert not finding(restarts(AT, forgotten=1), AT + 80_000, AT + 90_000).holds


def test_program_that_is_no_job_may_emit_duplicates() -> None:
    notifier = Written("notifier", "dead-letters", "notifications-0-1")

    assert duplicates.finding(Observed(seen_at_ms={notifier: [AT, AT]}), {}).holds
