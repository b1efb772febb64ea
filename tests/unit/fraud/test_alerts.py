from collections.abc import Sequence

from events import BrokenRule, FraudAlert
from tests.builders.events import event_time
from tests.builders.suspicions import suspicion
from udfs.fraud.alerts import (
    CASE_STATE,
    GRACE_MS,
    MOST_PAYMENTS,
    Case,
    Suspicion,
    next_time,
    pass_time,
    suspect,
)


def all_alerts(*arrivals: Suspicion) -> tuple[tuple[Case, ...], list[FraudAlert]]:
    cases: tuple[Case, ...] = ()
    alerts = []
    for arrival in arrivals:
        cases, alert = suspect(cases, arrival)
        alerts += [alert] if alert else []
    return cases, alerts


def steps(alerts: Sequence[FraudAlert]) -> list[str]:
    return [alert.event_type.removeprefix("fraud_alert.") for alert in alerts]


def test_first_suspicious_payment_opens_a_case() -> None:
    _, (alert,) = all_alerts(suspicion("12:00:00", "burst"))

    assert (alert.event_type, alert.card_id, alert.score) == ("fraud_alert.opened", "c1", 50)
    assert (alert.payments, alert.payment_count, alert.amount_minor) == (("p@12:00:00",), 1, 10_00)


def test_repeat_of_the_same_rule_is_suppressed_but_counted() -> None:
    cases, alerts = all_alerts(suspicion("12:00:00", "burst"), suspicion("12:00:10", "burst"))

    assert steps(alerts) == ["opened"]
    assert (cases[0].payment_count, cases[0].amount_minor) == (2, 20_00)


def test_new_rule_escalates_the_case_and_is_the_only_one_in_the_alert() -> None:
    _, alerts = all_alerts(suspicion("12:00:00", "burst"), suspicion("12:00:10", "burst", "travel"))

    assert steps(alerts) == ["opened", "escalated"]
    assert [broken.rule for broken in alerts[1].rules] == ["travel"]
    assert (alerts[1].case_id, alerts[1].score) == (alerts[0].case_id, 100)


def test_case_is_over_after_the_quiet_period_even_if_no_timer_has_fired() -> None:
    cases, alerts = all_alerts(
        suspicion("12:00:00", "burst"), suspicion("12:30:00", "burst"), suspicion("13:00:01", "burst")
    )

    assert steps(alerts) == ["opened", "opened"]
    assert len(cases) == 2


def test_out_of_order_payment_joins_its_case_even_if_a_timer_closed_it() -> None:
    late = suspicion("12:10:00", "burst")
    still_open, _ = all_alerts(suspicion("12:00:00", "burst"))
    closed, _ = pass_time(still_open, event_time("12:30:00"))

    assert suspect(still_open, late)[1] is None
    assert suspect(closed, late)[1] is None


def test_timer_closes_a_case_once_and_forgets_it_after_the_grace() -> None:
    cases, _ = all_alerts(suspicion("12:00:00", "burst"), suspicion("12:05:00", "burst"))

    assert next_time(cases) == event_time("12:35:00")
    cases, (closed,) = pass_time(cases, event_time("12:35:00"))
    assert (closed.event_type, closed.event_time) == ("fraud_alert.closed", event_time("12:35:00"))
    assert closed.payments == ("p@12:00:00", "p@12:05:00")

    assert next_time(cases) == event_time("12:35:00") + GRACE_MS
    assert pass_time(cases, event_time("12:36:00"))[1] == ()
    assert pass_time(cases, event_time("12:35:00") + GRACE_MS) == ((), ())
    assert next_time(()) is None


def test_payment_of_a_forgotten_case_opens_one_that_closes_at_once() -> None:
    first, _ = all_alerts(suspicion("12:00:00", "burst"))
    forgotten, _ = pass_time(first, event_time("12:30:00") + GRACE_MS)

    again, opened = suspect(forgotten, suspicion("12:10:00", "burst"))
    ended, closed = pass_time(again, event_time("12:40:00") + GRACE_MS)

    assert opened is not None
    assert steps([opened, *closed]) == ["opened", "closed"]
    assert opened.case_id != first[0].case_id
    assert ended == ()


def test_same_payments_give_the_same_alert_ids_and_other_steps_others() -> None:
    arrivals = (suspicion("12:00:00", "burst"), suspicion("12:00:10", "travel"), suspicion("12:00:20", "amount"))

    first, again = all_alerts(*arrivals)[1], all_alerts(*arrivals)[1]

    assert [alert.event_id for alert in first] == [alert.event_id for alert in again]
    assert len({alert.event_id for alert in first}) == 3


def test_case_lists_the_latest_payments_and_counts_all() -> None:
    many = [suspicion("12:00:00", "burst", payment=f"p{i}") for i in range(MOST_PAYMENTS + 2)]

    (case,), _ = all_alerts(*many)

    assert (case.payments[0], len(case.payments), case.payment_count) == ("p2", MOST_PAYMENTS, MOST_PAYMENTS + 2)


CASES = (
    Case(
        case_id="k1",
        opened_at=1_000,
        last_at=2_000,
        quiet_ms=60_000,
        closed=True,
        card_id="c1",
        customer_id="u1",
        payment_id="p2",
        rules=(BrokenRule(rule="burst", score=50, reason="many"),),
        ruleset_version=3,
        features={"count_1m": 4, "avg_24h": 2.5, "country": "DE", "recent": ("p1", "p2"), "km": None},
        payments=("p1", "p2"),
        payment_count=2,
        amount_minor=20_00,
        currency="EUR",
    ),
)
SAVED_CASES = (
    b"\x01\x91\x9f\xa2k1\xcd\x03\xe8\xcd\x07\xd0\xcd\xea`\xc3\xa2c1\xa2u1\xa2p2"
    b"\x91\x83\xa4rule\xa5burst\xa5score2\xa6reason\xa4many\x03"
    b"\x85\xa8count_1m\x04\xa7avg_24h\xcb@\x04\x00\x00\x00\x00\x00\x00\xa7country\xa2DE"
    b"\xa6recent\x92\xa2p1\xa2p2\xa2km\xc0\x92\xa2p1\xa2p2\x02\xcd\x07\xd0\xa3EUR"
)
"""The same cases, as savepoints of version 1 hold them."""


def test_cases_of_version_1_savepoints_are_read_and_written_unchanged() -> None:
    assert CASE_STATE.decode(SAVED_CASES) == CASES
    assert CASE_STATE.encode(CASES) == SAVED_CASES
