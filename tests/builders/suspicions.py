"""Builders of the alert stage's input."""

import msgspec

from events import BrokenRule
from tests.builders.events import event_time
from udfs.fraud.alerts import Suspicion
from udfs.fraud.rules import Verdict


def suspicion(at: str, *rules: str, card: str = "c1", amount: int = 10, payment: str | None = None) -> Suspicion:
    """Build a payment that broke the named rules, 50 points each; a case is over after 30 quiet minutes."""
    return Suspicion(
        card_id=card,
        customer_id=f"customer-of-{card}",
        payment_id=payment or f"p@{at}",
        event_time=event_time(at),
        base_amount_minor=amount * 100,
        base_currency="EUR",
        verdict=Verdict(
            ruleset_version=1,
            score=50 * len(rules),
            rules=tuple(BrokenRule(rule=name, score=50, reason=f"{name} is broken") for name in rules),
            quiet_minutes=30,
            features={"count_1m": 4},
        ),
    )


def element(suspicion: Suspicion) -> tuple[tuple[str, str], int]:
    """Return the stream element of a suspicion, and its timestamp."""
    return (suspicion.card_id, msgspec.json.encode(suspicion).decode()), suspicion.event_time
