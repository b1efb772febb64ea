"""Measures of what is declared against what is real: topics, schemas and rulesets."""

from collections.abc import Iterator
from itertools import takewhile

from connectors.kafka.topics import FRAUD_RULESETS, TOPICS
from ops.formats import time_in_words
from ops.health.check import Reading
from ops.health.scope import Scope
from ops.topics.apply import plan

UNUSABLE = ("create", "can't")
"""Steps of the plan for topics that are missing, or that brokers refuse records of."""
REFUSED = "incompatible"


def missing_topics(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of each topic that is missing or can't be used, otherwise 0."""
    yield from _steps(scope, unusable=True)


def differing_topics(scope: Scope) -> Iterator[Reading]:
    """Yield the number of settings of each topic that aren't as declared."""
    yield from _steps(scope, unusable=False)


def refused_schemas(scope: Scope) -> Iterator[Reading]:
    """Yield 1 for each schema by which earlier records can't be read, otherwise 0."""
    for verdict in scope.schemas:
        yield Reading(verdict.subject, int(verdict.state == REFUSED), "; ".join(verdict.reasons))


def unregistered_schemas(scope: Scope) -> Iterator[Reading]:
    """Yield 1 for each schema that isn't registered, or not guarded by the declared rule, otherwise 0."""
    for verdict in scope.schemas:
        is_different = verdict.state not in {"unchanged", REFUSED}
        yield Reading(verdict.subject, int(is_different), "; ".join((verdict.state, *verdict.reasons)))


def rules_missing(scope: Scope) -> Iterator[Reading]:
    """Yield 1 if no ruleset is in force, otherwise 0."""
    known = [each.ruleset for each in scope.rulesets if each.ruleset]
    in_force = [each for each in known if each.effective_from <= scope.now_ms]
    if in_force:
        latest = max(in_force, key=lambda ruleset: ruleset.version)
        yield Reading(FRAUD_RULESETS.name, 0, f"version {latest.version} is in force")
    else:
        begins = min((each.effective_from for each in known), default=None)
        later = "none was published" if begins is None else f"the first applies from {time_in_words(begins)}"
        yield Reading(FRAUD_RULESETS.name, 1, later)


def rules_rejected(scope: Scope) -> Iterator[Reading]:
    """Yield the number of publications since the last valid one, all of which every job ignores."""
    rejected = list(takewhile(lambda each: each.ruleset is None, reversed(scope.rulesets)))
    reason = rejected[0].problem.partition("\n")[0] if rejected else ""
    yield Reading(FRAUD_RULESETS.name, len(rejected), reason)


def _steps(scope: Scope, *, unusable: bool) -> Iterator[Reading]:
    for topic in TOPICS:
        steps = [
            step
            for step in plan([topic], scope.brokers.topics)
            if step.what != "nothing" and (step.what in UNUSABLE) is unusable
        ]
        yield Reading(topic.name, len(steps), "; ".join(f"{step.what}: {step.detail}" for step in steps))
