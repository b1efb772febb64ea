"""The fraud job as a plain loop: reference features, production's rules and cases, no Flink.

`tests/unit/oracles/test_alerts.py` holds it against an oracle that knows neither rules nor cases of production.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from events import FraudAlert, Payment, Ruleset
from local.oracles.features import InputEvent, OutputRow, ReferenceFeatures
from local.simulator.outgoing import Outgoing
from udfs.fraud import ruleset_files
from udfs.fraud.alerts import Case, Suspicion, suspect
from udfs.fraud.features import payment_features
from udfs.fraud.rules import PAYMENT_FACTS, RulesetHistory, Verdict

FEATURES = payment_features()


@dataclass(frozen=True)
class Judged:
    """A payment, its features, and its verdict."""

    outgoing: Outgoing
    payment: Payment
    row: OutputRow
    verdict: Verdict | None


def default_ruleset() -> Ruleset:
    """Return the default rules, in force from the beginning."""
    file = ruleset_files.parse(ruleset_files.default_text())
    return ruleset_files.ruleset(file, version=1, effective_from=0, published_at=0, published_by="test")


def judged(outgoings: Iterable[Outgoing], *rulesets: Ruleset) -> Iterator[Judged]:
    """Yield every payment in the order of its arrival; what is no payment is left out."""
    history = RulesetHistory(FEATURES, "EUR")
    for ruleset in rulesets:
        history.add(ruleset)
    cards: defaultdict[str, ReferenceFeatures] = defaultdict(lambda: ReferenceFeatures(FEATURES))
    for outgoing in outgoings:
        payment = outgoing.event
        if isinstance(payment, Payment):
            event = InputEvent(payment.event_time, payment.payment_id, msgspec.structs.asdict(payment))
            row = cards[payment.card_id].process(event)
            yield Judged(outgoing, payment, row, _verdict(payment, row, history))


def _verdict(payment: Payment, row: OutputRow, history: RulesetHistory) -> Verdict | None:
    rules = history.at(payment.event_time)
    if rules is None or row.is_duplicate or row.is_late:
        return None
    return rules.judge(
        *(getattr(payment, name) for name in PAYMENT_FACTS), *(row.features[feature.name] for feature in FEATURES)
    )


def alerts(judgements: Iterable[Judged]) -> list[FraudAlert]:
    """Return the alerts that open or escalate a case; when one closes depends on the watermark, so that is left out."""
    cases: defaultdict[str, tuple[Case, ...]] = defaultdict(tuple)
    raised = []
    for each in judgements:
        if each.verdict is None or not each.verdict.rules:
            continue
        payment = each.payment
        suspicion = Suspicion.of(payment, each.verdict)
        cases[payment.card_id], alert = suspect(cases[payment.card_id], suspicion)
        raised += [alert] if alert else []
    return raised
