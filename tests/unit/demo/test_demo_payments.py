"""The demo's check of payments, alerts and dead letters, on small ledgers: it fails when something is missing."""

from events import BrokenRule, DeadLetter, FraudAlert
from local.demo.checks.payments import cards_wrongly_suspected, caught, dead_letter_findings, findings
from local.demo.results.observer import Observed
from local.simulator.ledger import LedgerContent, LedgerRecord
from tests.builders.events import dead_letter


def sent(offset: int, kind: str = "good", *, card: str = "c1", incident: str | None = None) -> LedgerRecord:
    return LedgerRecord(
        topic="payments",
        partition=0,
        offset=offset,
        key=card,
        event_id=f"e{offset}",
        payment_id=None if kind.startswith("bad") else f"p{offset}",
        order_id=None,
        event_time=offset,
        kind=kind,
        pattern="burst" if incident else None,
        incident_id=incident,
        sent_at=offset,
        error=None,
    )


def letter(offset: int, job: str = "fraud_detection") -> DeadLetter:
    return dead_letter(f"payments-0-{offset}", rejected_by=job)


def alert(event_id: str, *payments: str, card: str = "c1") -> FraudAlert:
    return FraudAlert(
        event_id=event_id,
        event_time=0,
        event_type="fraud_alert.opened",
        case_id="case",
        card_id=card,
        customer_id="customer",
        payment_id=payments[-1],
        score=50,
        rules=(BrokenRule(rule="velocity", score=50, reason="too many"),),
        ruleset_version=1,
        features={},
        payments=payments,
        payment_count=len(payments),
        amount_minor=1,
        currency="EUR",
    )


LEDGER = LedgerContent((sent(0), sent(1, "bad:truncated"), sent(2, incident="i1"), sent(3, incident="i2")), None)


def observed(*, dead_letters: list[DeadLetter] | None = None, alerts: list[FraudAlert] | None = None) -> Observed:
    seen = Observed(
        alerts=[alert("a1", "p2")] if alerts is None else alerts,
        dead_letters=[letter(1), letter(1, "warehouse")] if dead_letters is None else dead_letters,
    )
    seen.records["payments"] = 4
    return seen


def broken(seen: Observed) -> list[str]:
    found = [*findings(LEDGER, seen), *dead_letter_findings(LEDGER, seen)]
    return [finding.claim for finding in found if not finding.holds]


def test_all_checks_hold_if_nothing_is_missing() -> None:
    assert broken(observed()) == []


def test_payment_that_is_not_in_kafka_is_found() -> None:
    seen = observed()
    seen.records["payments"] = 3

    assert broken(seen) == ["payments sent = payments in Kafka"]


def test_dead_letter_with_wrong_coordinates_is_found() -> None:
    assert broken(observed(dead_letters=[letter(2), letter(1, "warehouse")])) == [
        "fraud_detection: every bad record of payments is a dead letter, nothing else is"
    ]


def test_each_job_that_reads_a_topic_must_emit_its_dead_letters() -> None:
    assert broken(observed(dead_letters=[letter(1), letter(1, "order_enrichment")])) == [
        "order_enrichment: every bad record of orders is a dead letter, nothing else is",
        "warehouse: every bad record of payments is a dead letter, nothing else is",
    ]


def test_no_alert_despite_planted_fraud_is_found() -> None:
    assert broken(observed(alerts=[])) == ["fraud was seen"]


def test_incident_is_caught_if_an_alert_names_one_of_its_payments() -> None:
    (burst,) = caught(LEDGER, [alert("a1", "p2")])

    assert (burst.planted, burst.caught, burst.rules) == (2, 1, ("velocity",))


def test_alert_for_a_card_without_fraud_is_a_false_alarm() -> None:
    assert cards_wrongly_suspected(LEDGER, [alert("a1", "p2"), alert("a2", "p9", card="c9")]) == {"c9"}
