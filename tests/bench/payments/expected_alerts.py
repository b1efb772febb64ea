"""Alerts that payments must raise, computed by the logic of the peers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from events import FraudAlert, Payment, Ruleset
from tests.bench.contenders.peer_logic import Card, alert, rules
from tests.bench.payments.even import Shape
from udfs.fraud.alerts import Case
from udfs.fraud.features import payment_features
from udfs.fraud.rules import Rules


def expected_alerts(payments: Iterable[Payment], judge: Rules | None = None) -> dict[str, FraudAlert]:
    """Return the alerts that open or escalate a case, by id; when a case closes depends on the watermark.

    Args:
        judge: the rules, if not the default ones.
    """
    judge = judge or rules()
    cards: defaultdict[str, Card] = defaultdict(Card)
    cases: defaultdict[str, tuple[Case, ...]] = defaultdict(tuple)
    found = {}
    for payment in payments:
        card = payment.card_id
        cases[card], raised = alert(judge, payment, cards[card].features(payment), cases[card])
        if raised:
            found[raised.event_id] = raised
    return found


def alerts_of_bursts(shape: Shape, end_ms: int, ruleset: Ruleset) -> Mapping[str, FraudAlert]:
    """Return the alerts that the bursts raise; no other payment may raise one."""
    return expected_alerts(shape.bursting(end_ms), Rules(ruleset, payment_features(), "EUR"))
