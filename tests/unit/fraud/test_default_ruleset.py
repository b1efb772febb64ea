"""The default rules catch the fraud that the simulated payment service plants."""

from collections import Counter

import pytest

from local.simulator.payment_service import PaymentOptions, generate
from local.simulator.payments.fraud_patterns import PATTERNS
from tests.builders.events import event_time
from tests.reference_runs.fraud_detection import Judged, default_ruleset, judged


@pytest.fixture(scope="module")
def run() -> list[Judged]:
    options = PaymentOptions(start_ms=event_time("12:00:00"), rate=150, seconds=60, seed=11)
    return list(judged(generate(options), default_ruleset()))


def alarms(each: Judged) -> bool:
    return each.verdict is not None and bool(each.verdict.rules)


def test_every_pattern_is_planted_and_nearly_every_incident_is_caught(run: list[Judged]) -> None:
    planted = {each.outgoing.incident_id: each.outgoing.pattern for each in run if each.outgoing.incident_id}
    caught = {each.outgoing.incident_id for each in run if each.outgoing.incident_id and alarms(each)}

    assert set(planted.values()) == {pattern.name for pattern in PATTERNS}
    assert set(planted.values()) == {planted[incident] for incident in caught}
    assert len(caught) >= 0.9 * len(planted)


def test_honest_customers_are_rarely_suspected(run: list[Judged]) -> None:
    honest = Counter(alarms(each) for each in run if not each.outgoing.incident_id)

    assert honest[True] < honest.total() / 1000
