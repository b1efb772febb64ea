"""A snapshot has what each program's box shows, and what is not known any more keeps its last value with its time."""

from datetime import timedelta

import pytest

from jobs.flow import PROGRAMS
from ops.frontier.observer import Observer
from ops.health.answers.letters import LastLetter
from ops.health.answers.rule_hits import RuleHits
from ops.health.check import NOTHING, Level, Reading, Result
from ops.health.checks import CHECKS
from ops.page.live_topics import Live
from ops.page.snapshot import (
    DEPLOYMENT,
    Answer,
    Answers,
    Asked,
    Box,
    PartitionTime,
    RuleLine,
    Silence,
    Snapshot,
    learn,
    nothing_known,
    owner,
)
from ops.page.watching import ask
from ops.rules.rulesets import Published
from tests.builders.events import rule, ruleset
from tests.builders.health import NOW, NOW_MS, measured, scope
from tests.builders.page import NO_BROKER, WITHIN, answers, page_snapshot, result, results, unmade


def box(found: Snapshot, name: str) -> Box:
    """Return the box of a program."""
    return next(each for each in found.boxes if each.name == name)


def all_answered() -> Answers:
    """Return answers of a deployment in which every check has a result, about nothing or about a program."""
    others = {check.id for check in CHECKS} - {each.check.id for each in results()}
    nothing = [Result(check, Level.OK, detail=NOTHING) for check in CHECKS if check.id in others]
    return answers([*results(), *nothing])


def test_every_program_has_a_box_in_the_order_of_the_data_flow_and_the_deployment_is_last() -> None:
    assert [each.name for each in page_snapshot().boxes] == [*(program.name for program in PROGRAMS), DEPLOYMENT]


def test_box_has_the_worst_level_lag_and_freshness_of_its_program() -> None:
    warehouse = box(page_snapshot(), "warehouse")

    assert warehouse.level is Level.FAIL
    assert (warehouse.lag_seconds, warehouse.stale_seconds) == (900, 12)
    assert [each.result.check.id for each in warehouse.findings] == ["lag-seconds", "sink-warehouse"]


@pytest.mark.parametrize(
    ("check", "subject", "program"),
    [
        ("lag-seconds", "warehouse: payments", "warehouse"),
        ("event-time", "fraud_detection: payments, subtask 1", "fraud_detection"),
        ("job-restarts", "revenue_per_minute", "revenue_per_minute"),
        ("topic-differs", "fraud-alerts", "fraud_detection"),
        ("schema-refused", "orders-value", "order_service"),
        ("late-share", "late-payments", "fraud_detection"),
        ("sink-orders", "orders → enriched-orders", "order_enrichment"),
        ("sink-search", "orders → orders", "search_index"),
        ("sink-mail", "notifications", "notifier"),
        ("service-silent", "Kafka Connect", "shop, captured"),
        ("service-silent", "Elasticsearch", "search_index"),
        ("service-silent", "mail server", "notifier"),
        ("capture-unread", "millrace_slot", "shop, captured"),
        ("rules-hits", "many_payments", "fraud_detection"),
        ("service-silent", "Kafka", None),
        ("disk-stack", "/state", None),
        ("dead-letters-unreadable", "dead-letters", None),
    ],
)
def test_result_belongs_to_the_program_that_it_is_about(check: str, subject: str, program: str | None) -> None:
    found = owner(result(check, subject, 0))

    assert (found.name if found else None) == program


def test_job_has_its_partitions_checkpoints_dead_letters_and_place_in_flink_s_ui() -> None:
    fraud = box(page_snapshot(flink_rest_url="http://flink.example:8081/"), "fraud_detection")

    assert fraud.partitions == (PartitionTime("payments-0", NOW_MS - 2_000, 1.5),)
    assert fraud.checkpoints is not None
    assert [each.status for each in fraud.checkpoints.history] == ["COMPLETED", "FAILED"]
    assert fraud.letters == (LastLetter("payments-0-17", NOW_MS, "currency: '…' is unknown"),)
    assert fraud.flink_url == "http://flink.example:8081/#/job/running/id of fraud_detection/overview"


def test_check_that_cannot_be_made_any_more_keeps_its_values_as_unknown_since_its_last_answer() -> None:
    known = all_answered()

    learn(known, Asked([unmade("lag-seconds", NO_BROKER)]), NOW + timedelta(seconds=20), WITHIN)
    fraud = box(page_snapshot(known, later=30), "fraud_detection")

    assert (fraud.level, fraud.lag_seconds, fraud.silent_since) == (Level.UNKNOWN, 0.4, NOW)
    lag = next(each for each in fraud.findings if each.result.check.id == "lag-seconds")
    assert (lag.level, lag.silent_since, lag.result.value) == (Level.UNKNOWN, NOW, 0.4)


def test_check_that_answers_again_is_known_again() -> None:
    known = all_answered()
    learn(known, Asked([unmade("lag-seconds", NO_BROKER)]), NOW + timedelta(seconds=20), WITHIN)

    again = result("lag-seconds", "fraud_detection: payments", 3)
    learn(known, Asked([again]), NOW + timedelta(seconds=40), WITHIN)
    found = page_snapshot(known, later=41)

    assert (box(found, "fraud_detection").level, box(found, "fraud_detection").lag_seconds) == (Level.OK, 3)
    assert found.silences == ()


def test_checks_that_fail_for_one_reason_are_one_silence() -> None:
    known = all_answered()

    learn(known, Asked([unmade("lag-seconds", NO_BROKER), unmade("lag-records", NO_BROKER)]), NOW, WITHIN)

    assert page_snapshot(known).silences == (Silence(NOW, NO_BROKER, ("lag-seconds", "lag-records")),)


def test_part_that_fails_keeps_its_value_and_the_others_are_renewed() -> None:
    known = all_answered()

    later = NOW + timedelta(seconds=20)
    learn(known, Asked([], {"shadow_hits": {"night": 32}}, {"letters": "dead-letters can't be read"}), later, WITHIN)
    found = page_snapshot(known, later=21)

    assert box(found, "fraud_detection").letters[0].id == "payments-0-17"
    assert found.rules[1].hits == 32
    assert [(each.since, each.reason) for each in found.silences] == [(NOW, "dead-letters can't be read")]


def test_answer_that_is_overdue_is_silent_though_nothing_failed() -> None:
    known = all_answered()

    found = page_snapshot(known, later=WITHIN.total_seconds() + 1)

    assert {each.since for each in found.silences} == {NOW}
    assert {each.reason for each in found.silences} == {"it takes longer than usual"}
    assert box(found, "fraud_detection").level is Level.UNKNOWN


def test_before_the_first_answer_nothing_is_claimed() -> None:
    known = nothing_known([check.id for check in CHECKS], NOW, WITHIN)

    found = page_snapshot(known)

    assert {each.level for each in found.boxes} == {Level.UNKNOWN}
    assert (found.evaluated_at, found.rules, found.silences) == (None, (), ())


def test_check_that_was_never_made_counts_as_unknown() -> None:
    known = nothing_known([check.id for check in CHECKS], NOW, WITHIN)

    learn(known, Asked([unmade("lag-seconds", NO_BROKER), result("disk-stack", "/state", 0.1)]), NOW, WITHIN)
    found = page_snapshot(known)

    assert found.levels == {Level.FAIL: 0, Level.UNKNOWN: 1, Level.WARN: 0, Level.OK: 1}
    assert box(found, "fraud_detection").level is Level.UNKNOWN


def test_program_without_any_finding_is_well_once_every_check_was_made() -> None:
    assert box(page_snapshot(all_answered()), "notifications").level is Level.OK


def test_rules_are_those_in_force_with_their_hits_those_that_alert_first() -> None:
    later = ruleset(rule("new"), version=3, effective_from=NOW_MS + 10_000)
    current = ruleset(rule("night", status="shadow"), rule("many_payments"), rule("old", status="off"), version=2)
    published = (
        Published(0, ruleset(rule("first"))),
        Published(1, current),
        Published(2, None, "odd"),
        Published(3, later),
    )

    found = page_snapshot(answers(rulesets=published))

    assert found.rules == (
        RuleLine("many_payments", "active", "many_payments is broken", 7),
        RuleLine("night", "shadow", "night is broken", 31),
        RuleLine("old", "off", "old is broken", 0),
    )
    assert found.ruleset == "version 2 is in force"


def test_hits_that_are_too_many_are_none() -> None:
    found = page_snapshot(answers(rule_hits=RuleHits(are_too_many=True), shadow_hits=None))

    assert [each.hits for each in found.rules] == [None, None, 0]


def test_evaluation_brings_results_and_parts_and_a_failing_part_hides_no_other() -> None:
    asked = ask([measured("lag", Reading("a", 1))], scope(jobs=(), tasks=(), brokers=None), Observer())

    assert [each.subject for each in asked.results] == ["a"]
    assert {"jobs", "tasks"} <= asked.parts.keys()
    assert {"shadow_hits"} <= asked.failures.keys()


def test_answer_is_silent_after_a_failure_or_when_it_is_overdue() -> None:
    answer = Answer(Live(), NOW, NOW + WITHIN)

    assert not answer.is_silent(NOW + WITHIN)
    assert answer.is_silent(NOW + WITHIN + timedelta(seconds=1))
    assert answer.failed("no broker").is_silent(NOW)
    assert not answer.failed("no broker").renewed(Live(), NOW, WITHIN).is_silent(NOW)
