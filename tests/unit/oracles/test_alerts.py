"""The plain loop over production's rules and cases, against an oracle that shares neither."""

from connectors.kafka.topics import PAYMENTS
from local.oracles import alerts
from local.simulator.faults import Faults
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.payment_service import PaymentOptions, generate
from tests.builders.events import event_time, payment
from tests.reference_runs import fraud_detection as reference_run
from udfs.fraud.features import payment_features

FAULTS = Faults(duplicates=0.005, out_of_order_seconds=3, late=0.002, bad=0.01)
COPIED_CARD = [
    Outgoing(PAYMENTS, b"copied", each.event_time, each.event_time, GOOD, each)
    for number, country in enumerate(("PT", "DE", "JP"))
    for each in [payment("copied", f"12:0{number}:00", country=country, payment_id=f"copied-{number}")]
]
"""A pattern that the simulator doesn't plant."""


def test_reference_run_raises_the_alerts_of_the_oracle() -> None:
    options = PaymentOptions(
        start_ms=event_time("12:00:00"), rate=60, seconds=90, seed=5, fraud_share=0.1, faults=FAULTS
    )
    judged = list(reference_run.judged([*generate(options), *COPIED_CARD], reference_run.default_ruleset()))

    expected = alerts.alert_ids((each.payment for each in judged), payment_features())

    assert len(expected) > 100
    assert {alert.event_id for alert in reference_run.alerts(judged)} == expected
    broken = {rule.rule for each in judged if each.verdict for rule in each.verdict.rules}
    assert broken == alerts.RULES.keys()
