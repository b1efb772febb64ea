"""Measures of fraud rules at work: whether one fires far more or far less often than before."""

from collections.abc import Iterator

from ops.health.check import Reading
from ops.health.scope import Scope

LEAST_HITS = 30
"""Number of hits in each of two hours below which they aren't compared: few differ by chance."""


def hit_rate(scope: Scope) -> Iterator[Reading]:
    """Yield how many times more, or less, often than in the hour before a rule has fired, of as many payments."""
    last, before = scope.rule_hits.last, scope.rule_hits.before
    for rule in sorted(last.hits.keys() & before.hits.keys()):
        hits, hits_before = last.hits[rule], before.hits[rule]
        if min(hits, hits_before) >= LEAST_HITS and last.payments and before.payments:
            ratio = hits * before.payments / (hits_before * last.payments)
            detail = (
                f"{hits:,} hits in {last.payments:,} payments of the last hour, "
                f"{hits_before:,} in {before.payments:,} of the hour before"
            )
            yield Reading(rule, max(ratio, 1 / ratio), detail)
