"""Rulesets of any size for even payments: only bursts break a rule. Knows neither Flink nor Kafka."""

from msgspec.structs import replace

from events import Rule, Ruleset
from tests.bench.payments.even import BURST

_NEVER = (
    # Each over other features; {n} makes ten of one.
    ("crowded_minute", "count_1m >= 2{n}"),
    ("busy_hour", "count_1h >= 20{n} and merchant_category = 'electronics'"),
    ("costly_minute", "sum_1m > {n}500.00 EUR and channel = 'online'"),
    ("costly_hour", "sum_1h > {n}9000.00 EUR or max_24h > {n}7000.00 EUR"),
    ("costly_day", "count_24h >= 3 and sum_24h > {n}90000.00 EUR"),
    ("refused", "declined_10m >= {n}5 and status = 'declined'"),
    ("many_shops", "merchants_10m >= {n}9 and channel = 'online'"),
    ("traveller", "countries_1h >= {n}2 and country not in ('DE', 'FR')"),
    ("far_away", "km_from_previous > {n}00 km and km_from_previous / seconds_from_previous > {n}200 km/h"),
    ("above_usual", "count_24h >= 4 and base_amount_minor > {n}5 * avg_24h and previous_country is not null"),
)
"""Conditions as an analyst would write them, which no even payment fulfils."""


def ruleset_of(default: Ruleset, number: int, version: int) -> Ruleset:
    """Return a ruleset of a number of rules: the default ones and more, or only the one that bursts break.

    Args:
        number: 1, or from the number of the default rules to a hundred more.
    """
    bursting = [
        replace(rule, when=f"count_10m >= {BURST}") if rule.name == "velocity_burst" else rule for rule in default.rules
    ]
    more = [
        Rule(name=f"{name}_{n}", description=f"Threshold {n} of: {name}", status="active", score=50, when=when)
        for n in range(1, 11)
        for name, when in ((name, condition.format(n=n)) for name, condition in _NEVER)
    ]
    chosen = (
        [rule for rule in bursting if rule.name == "velocity_burst"] if number == 1 else [*bursting, *more][:number]
    )
    if len(chosen) != number:
        raise ValueError(f"no {number} rules: there are 1, or {len(bursting)} to {len(bursting) + len(more)}")
    return replace(default, event_id=f"ruleset-{version}", version=version, rules=tuple(chosen))
