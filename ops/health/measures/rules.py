"""Measures of fraud rules: whether some are in force, and whether one fires far more or far less often than before."""

from collections.abc import Iterator
from itertools import takewhile

from connectors.kafka.topics import FRAUD_RULESETS
from events import Ruleset
from ops.formats import time_in_words
from ops.health.answers.rule_hits import Hour
from ops.health.check import Reading
from ops.health.scope import Scope

LEAST_HITS = 30
"""Number of hits in one of two hours, counted or to be expected, below which they aren't compared: few differ by
chance."""


def missing(scope: Scope) -> Iterator[Reading]:
    """Yield 1 if no ruleset is in force, otherwise 0."""
    if ruleset := _in_force(scope):
        yield Reading(FRAUD_RULESETS.name, 0, f"version {ruleset.version} is in force")
    else:
        begins = min((each.ruleset.effective_from for each in scope.rulesets if each.ruleset), default=None)
        later = "none was published" if begins is None else f"the first applies from {time_in_words(begins)}"
        yield Reading(FRAUD_RULESETS.name, 1, later)


def rejected(scope: Scope) -> Iterator[Reading]:
    """Yield the number of publications since the last valid one, all of which every job ignores."""
    found = list(takewhile(lambda each: each.ruleset is None, reversed(scope.rulesets)))
    reason = found[0].problem.partition("\n")[0] if found else ""
    yield Reading(FRAUD_RULESETS.name, len(found), reason)


def hit_rate(scope: Scope) -> Iterator[Reading]:
    """Yield how many times more, or less, often than in the hour before each active rule has fired, of as many
    payments.
    """
    last, before = scope.rule_hits.last, scope.rule_hits.before
    if not last.payments or not before.payments:
        return
    ruleset = _in_force(scope)
    for name in sorted(rule.name for rule in ruleset.rules if rule.status == "active") if ruleset else ():
        hits, expected = last.hits.get(name, 0), before.hits.get(name, 0) * last.payments / before.payments
        # A rule that never fired before may be new.
        if expected and max(hits, expected) >= LEAST_HITS:
            ratio = max(hits, expected) / max(1, min(hits, expected))
            yield Reading(name, ratio, f"{_counted(name, last, 'last hour')}, {_counted(name, before, 'hour before')}")


def _in_force(scope: Scope) -> Ruleset | None:
    """Return the ruleset by which payments of now are judged."""
    known = [each.ruleset for each in scope.rulesets if each.ruleset]
    in_force = [each for each in known if each.effective_from <= scope.now_ms]
    return max(in_force, key=lambda ruleset: ruleset.version, default=None)


def _counted(rule: str, hour: Hour, name: str) -> str:
    return f"{hour.hits.get(rule, 0):,} hits in {hour.payments:,} payments of the {name}"
