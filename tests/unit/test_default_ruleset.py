"""Do the rules that Millrace comes with catch the fraud that its simulated service plants?"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import msgspec
import pytest

from events import Payment
from local.services.fraud_patterns import PATTERNS
from local.services.payment_service import PaymentOptions, generate
from tests.builders import event_time
from tests.reference_features import InputEvent, ReferenceFeatures
from udfs import ruleset_files
from udfs.features import payment_features
from udfs.rules import PAYMENT_FACTS, Rules

FEATURES = payment_features()


@dataclass
class Judged:
    """What the rules say of one simulated run."""

    payments: int = 0
    incidents: dict[str, str] = field(default_factory=dict)
    """Pattern by incident id."""
    caught: set[str] = field(default_factory=set)
    false_alarms: int = 0


@pytest.fixture(scope="module")
def judged() -> Judged:
    file = ruleset_files.parse(ruleset_files.default_text())
    ruleset = ruleset_files.ruleset(file, version=1, effective_from=0, published_at=0, published_by="test")
    rules = Rules(ruleset, FEATURES, "EUR")
    cards: defaultdict[str, ReferenceFeatures] = defaultdict(lambda: ReferenceFeatures(FEATURES))
    judged = Judged()
    for outgoing in generate(PaymentOptions(start_ms=event_time("12:00:00"), rate=150, seconds=60, seed=11)):
        payment = outgoing.event
        if not isinstance(payment, Payment):
            continue
        judged.payments += 1
        row = cards[payment.card_id].process(
            InputEvent(payment.event_time, payment.payment_id, msgspec.structs.asdict(payment))
        )
        facts = [getattr(payment, name) for name in PAYMENT_FACTS] + [row.features[f.name] for f in FEATURES]
        verdict = rules.judge(*facts)
        alarmed = verdict is not None and bool(verdict.rules)
        if outgoing.incident_id and outgoing.pattern:
            judged.incidents[outgoing.incident_id] = outgoing.pattern
            judged.caught |= {outgoing.incident_id} if alarmed else set()
        else:
            judged.false_alarms += alarmed
    return judged


def test_every_pattern_is_planted_and_nearly_every_incident_is_caught(judged: Judged) -> None:
    planted = Counter(judged.incidents.values())
    caught = Counter(judged.incidents[incident] for incident in judged.caught)

    assert set(planted) == {pattern.name for pattern in PATTERNS}
    assert all(caught[pattern] >= 1 for pattern in planted)
    assert len(judged.caught) >= 0.9 * len(judged.incidents)


def test_honest_customers_are_rarely_suspected(judged: Judged) -> None:
    assert judged.false_alarms < judged.payments / 1000
