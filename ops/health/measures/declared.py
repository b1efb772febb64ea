"""Measures of what is declared against what is real: topics and schemas."""

from collections.abc import Iterator

from connectors.kafka.topics import TOPICS
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


def _steps(scope: Scope, *, unusable: bool) -> Iterator[Reading]:
    for topic in TOPICS:
        steps = [
            step
            for step in plan([topic], scope.brokers.topics)
            if step.what != "nothing" and (step.what in UNUSABLE) is unusable
        ]
        yield Reading(topic.name, len(steps), "; ".join(f"{step.what}: {step.detail}" for step in steps))
