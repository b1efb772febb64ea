"""Alerts of the default rules, restated in plain Python from their text in `udfs/fraud/rulesets/default.toml`.

The features come from the oracle in `features.py`. No rule is parsed, and no case is kept up to date: for each payment
that breaks a rule, all such payments of its card are read again from the first one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from msgspec.structs import asdict

from events import Payment
from local.oracles.features import Feature, InputEvent, ReferenceFeatures

QUIET_MS = 30 * 60_000
EUR = 100
"""Minor units."""
Facts = Mapping[str, Any]
"""Columns of a payment and its features; None where there is no value, with which every comparison is false."""


def _speed_kmh(facts: Facts) -> float:
    seconds = facts["seconds_from_previous"]
    return facts["km_from_previous"] / seconds * 3600 if seconds else float("inf")


RULES: Mapping[str, Callable[[Facts], bool]] = {
    "card_testing": lambda of: of["declined_10m"] >= 3 and of["merchants_10m"] >= 3 and of["channel"] == "online",
    "testing_succeeded": lambda of: (
        of["declined_10m"] >= 2 and of["status"] == "authorized" and of["base_amount_minor"] > 100 * EUR
    ),
    "velocity_burst": lambda of: of["count_10m"] >= 6,
    "spending_burst": lambda of: of["count_10m"] >= 4 and of["sum_10m"] > 1000 * EUR,
    "impossible_travel": lambda of: (
        of["channel"] == "card_present"
        and of["km_from_previous"] is not None
        and of["km_from_previous"] > 300
        and _speed_kmh(of) > 1000
    ),
    "copied_card": lambda of: of["countries_1h"] >= 3,
    "takeover": lambda of: (
        of["channel"] == "online"
        and of["previous_country"] not in (None, of["country"])
        and None not in (of["device_id"], of["previous_device"])
        and of["device_id"] != of["previous_device"]
        and of["sum_10m"] > 150 * EUR
    ),
    "high_amount": lambda of: (
        of["base_amount_minor"] > 800 * EUR and of["count_24h"] >= 2 and of["base_amount_minor"] * 2 > of["sum_24h"]
    ),
}
"""The active rules; each alone reaches the alert score."""


@dataclass(frozen=True)
class Suspicious:
    """A payment that breaks rules."""

    payment: Payment
    rules: frozenset[str]


def alert_ids(payments: Iterable[Payment], features: Sequence[Feature]) -> set[str]:
    """Return the ids of the alerts that open or escalate a case.

    Args:
        payments: in the order of their arrival, duplicates and late ones included.
        features: those that are declared for payments.
    """
    broken = [
        Suspicious(payment, frozenset(name for name, breaks in RULES.items() if breaks(facts)))
        for payment, facts in _facts(payments, features)
    ]
    by_card = sorted((each for each in broken if each.rules), key=lambda each: each.payment.card_id)
    return {
        alert
        for _, of_card in groupby(by_card, key=lambda each: each.payment.card_id)
        for alert in _of_card(list(of_card))
    }


def _facts(payments: Iterable[Payment], features: Sequence[Feature]) -> Iterator[tuple[Payment, Facts]]:
    """Yield each payment that is neither late nor a duplicate, with its features."""
    cards: defaultdict[str, ReferenceFeatures] = defaultdict(lambda: ReferenceFeatures(features))
    for payment in payments:
        columns = asdict(payment)
        row = cards[payment.card_id].process(InputEvent(payment.event_time, payment.payment_id, columns))
        if not row.is_duplicate and not row.is_late:
            yield payment, columns | row.features


def _of_card(arrived: Sequence[Suspicious]) -> Iterator[str]:
    """Look at each payment with all that arrived before it."""
    cases: list[list[Suspicious]] = []
    for each in arrived:
        case = next((case for case in cases if _belongs(each, case)), None)
        if case is None:
            cases.append([each])
            yield _digest("fraud_alert.opened", _case_id(each.payment))
            continue
        new = each.rules.difference(*(other.rules for other in case))
        case.append(each)
        if new:
            yield _digest("fraud_alert.escalated", _case_id(case[0].payment), *sorted(new))


def _belongs(each: Suspicious, case: Sequence[Suspicious]) -> bool:
    times = [other.payment.event_time for other in case]
    return min(times) - QUIET_MS <= each.payment.event_time <= max(times) + QUIET_MS


def _case_id(payment: Payment) -> str:
    return _digest("case", payment.card_id, payment.payment_id)


def _digest(*parts: str) -> str:
    """Return an id as the job forms it: the first half of a SHA-256, in hex, of parts joined by U+001F."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
