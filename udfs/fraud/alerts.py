"""Fraud cases by card: opens, escalates and closes them, from verdicts in arrival order. Knows no Flink.

A case holds the broken rules of one card until it has been quiet for the ruleset's quiet period. Which case a payment
belongs to depends on event times alone, never on when a timer fired, so a restart or a replay of payments gives the
same alerts.
"""

import hashlib
from collections.abc import Sequence
from typing import Self

import msgspec

from events import BrokenRule, FraudAlert, Payment
from udfs.fraud.rules import Verdict
from udfs.keyed_state import StateCodec

GRACE_MS = 3_600_000
"""How long a closed case is kept, in event time, so that an out-of-order payment joins it instead of opening a new
case."""

MOST_PAYMENTS = 50
"""Maximum number of payment ids in a case: the latest ones. The count includes all payments."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that broke active rules, as the alert stage sees it."""

    card_id: str
    customer_id: str
    payment_id: str
    event_time: int
    """UTC milliseconds."""
    base_amount_minor: int
    base_currency: str
    verdict: Verdict

    @classmethod
    def of(cls, payment: Payment, verdict: Verdict) -> Self:
        """Build a suspicion from a payment and its verdict."""
        return cls(
            card_id=payment.card_id,
            customer_id=payment.customer_id,
            payment_id=payment.payment_id,
            event_time=payment.event_time,
            base_amount_minor=payment.base_amount_minor,
            base_currency=payment.base_currency,
            verdict=verdict,
        )


class Case(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One card's open (or recently closed) case; the keyed state is a tuple of these."""

    case_id: str
    opened_at: int
    """Event time of the earliest payment."""
    last_at: int
    """Event time of the latest payment."""
    quiet_ms: int
    closed: bool
    card_id: str
    customer_id: str
    payment_id: str
    """The payment that arrived last."""
    rules: tuple[BrokenRule, ...]
    ruleset_version: int
    features: dict[str, int | float | str | tuple[str, ...] | None]
    payments: tuple[str, ...]
    payment_count: int
    amount_minor: int
    currency: str

    @property
    def closes_at(self) -> int:
        """Event time at which the quiet period ends."""
        return self.last_at + self.quiet_ms

    @property
    def forgotten_at(self) -> int:
        """Event time after which nothing can join the case."""
        return self.closes_at + GRACE_MS

    def covers(self, event_time: int) -> bool:
        """Return whether a payment of that event time belongs to the case."""
        return self.opened_at - self.quiet_ms <= event_time <= self.closes_at


CASE_STATE = StateCodec("alert state", tuple[Case, ...], version=1, empty=())


def suspect(cases: Sequence[Case], suspicion: Suspicion) -> tuple[tuple[Case, ...], FraudAlert | None]:
    """Add a suspicious payment to its card's cases; return an alert if it opens a case or breaks a rule new to its
    case."""
    position = next((i for i, case in enumerate(cases) if case.covers(suspicion.event_time)), None)
    if position is None:
        opened = _opened(suspicion)
        return (*cases, opened), _alert(opened, "fraud_alert.opened", suspicion.event_time, opened.rules)
    before = cases[position]
    known = {rule.rule for rule in before.rules}
    new_rules = tuple(rule for rule in suspicion.verdict.rules if rule.rule not in known)
    joined = _joined(before, suspicion, new_rules)
    after = (*cases[:position], joined, *cases[position + 1 :])
    if not new_rules:
        return after, None
    return after, _alert(joined, "fraud_alert.escalated", suspicion.event_time, new_rules)


def pass_time(cases: Sequence[Case], event_time: int) -> tuple[tuple[Case, ...], tuple[FraudAlert, ...]]:
    """Close cases whose quiet period has ended at `event_time`, and forget those that no payment can join any more."""
    closing = [case for case in cases if not case.closed and case.closes_at <= event_time]
    alerts = tuple(_alert(case, "fraud_alert.closed", case.closes_at, case.rules) for case in closing)
    kept = tuple(
        msgspec.structs.replace(case, closed=True) if case in closing else case
        for case in cases
        if case.forgotten_at > event_time
    )
    return kept, alerts


def next_time(cases: Sequence[Case]) -> int | None:
    """Return the event time of the next `pass_time` that would change anything; None if there is nothing to wait
    for."""
    return min((case.forgotten_at if case.closed else case.closes_at for case in cases), default=None)


def _opened(suspicion: Suspicion) -> Case:
    return Case(
        case_id=_digest("case", suspicion.card_id, suspicion.payment_id),
        opened_at=suspicion.event_time,
        last_at=suspicion.event_time,
        quiet_ms=suspicion.verdict.quiet_minutes * 60_000,
        closed=False,
        card_id=suspicion.card_id,
        customer_id=suspicion.customer_id,
        payment_id=suspicion.payment_id,
        rules=suspicion.verdict.rules,
        ruleset_version=suspicion.verdict.ruleset_version,
        features=suspicion.verdict.features,
        payments=(suspicion.payment_id,),
        payment_count=1,
        amount_minor=suspicion.base_amount_minor,
        currency=suspicion.base_currency,
    )


def _joined(case: Case, suspicion: Suspicion, new_rules: tuple[BrokenRule, ...]) -> Case:
    return msgspec.structs.replace(
        case,
        opened_at=min(case.opened_at, suspicion.event_time),
        last_at=max(case.last_at, suspicion.event_time),
        payment_id=suspicion.payment_id,
        rules=(*case.rules, *new_rules),
        ruleset_version=suspicion.verdict.ruleset_version,
        features=suspicion.verdict.features,
        payments=(*case.payments, suspicion.payment_id)[-MOST_PAYMENTS:],
        payment_count=case.payment_count + 1,
        amount_minor=case.amount_minor + suspicion.base_amount_minor,
    )


def _alert(case: Case, step: str, event_time: int, rules: tuple[BrokenRule, ...]) -> FraudAlert:
    # A case is opened once and closed once, but it may escalate several times, by different rules.
    distinguished_by = sorted(rule.rule for rule in rules) if step == "fraud_alert.escalated" else []
    return FraudAlert(
        event_id=_digest(step, case.case_id, *distinguished_by),
        event_time=event_time,
        event_type=step,  # type: ignore[arg-type]
        case_id=case.case_id,
        card_id=case.card_id,
        customer_id=case.customer_id,
        payment_id=case.payment_id,
        score=min(sum(rule.score for rule in case.rules), 1000),
        rules=rules,
        ruleset_version=case.ruleset_version,
        features=case.features,
        payments=case.payments,
        payment_count=case.payment_count,
        amount_minor=case.amount_minor,
        currency=case.currency,
    )


def _digest(*parts: str) -> str:
    """Return 128 bits of SHA-256 over the parts, in hex: the same parts give the same id in every run."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
