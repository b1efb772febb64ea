"""Measures of the services that jobs depend on: whether they answer, Kafka's replicas, and capture of changes."""

from collections.abc import Callable, Iterable, Iterator

from connectors.postgres.captured_tables import CONNECTOR, SLOT, connector_config
from ops.capture.connector import connector_faults
from ops.capture.faults import database_faults, heartbeat_faults
from ops.cli import message
from ops.formats import utc
from ops.health.check import Reading, in_one_line
from ops.health.scope import Scope

SERVICES: dict[str, Callable[[Scope], object]] = {
    "Kafka": lambda scope: scope.brokers,
    "Flink": lambda scope: scope.jobs,
    "schema registry": lambda scope: scope.schemas,
    "Kafka Connect": lambda scope: scope.connector,
    "shop's database": lambda scope: scope.shop_database,
}
"""Services that the checks ask, each with an answer that needs it."""


def silent(scope: Scope) -> Iterator[Reading]:
    """Yield 1 for each service that doesn't answer, otherwise 0."""
    for name, ask in SERVICES.items():
        try:
            ask(scope)
        except Exception as error:
            if message(error) is None:
                raise
            yield Reading(name, 1, in_one_line(error))
        else:
            yield Reading(name, 0)


def leaderless(scope: Scope) -> Iterator[Reading]:
    """Yield the number of partitions of each topic that have no leader."""
    for name, topic in scope.brokers.topics.items():
        yield Reading(name, len(topic.leaderless), _partitions(topic.leaderless))


def under_replicated(scope: Scope) -> Iterator[Reading]:
    """Yield the number of partitions of each topic that have a replica which isn't in sync."""
    for name, topic in scope.brokers.topics.items():
        yield Reading(name, len(topic.under_replicated), _partitions(topic.under_replicated))


def connector(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of the connector and its task."""
    faults = connector_faults(scope.connector, connector_config(scope.settings))
    yield Reading(CONNECTOR, len(faults), "; ".join(faults))


def shop_database(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of publication, slot, triggers and tables in the shop's database."""
    faults = database_faults(scope.shop_database)
    yield Reading("shop's database", len(faults), "; ".join(faults))


def unread_log(scope: Scope) -> Iterator[Reading]:
    """Yield the megabytes of the database's write-ahead log that capture has yet to read."""
    if (slot := scope.shop_database.slot) is not None:
        limit = "without a limit" if slot.limit == "-1" else f"of {slot.limit} at most"
        yield Reading(
            SLOT, slot.unread_bytes / 1_000_000, f"the server retains {slot.retained_bytes / 1_000_000:.1f} MB {limit}"
        )


def heartbeat_age(scope: Scope) -> Iterator[Reading]:
    """Yield the age of the last change that was captured; the connector makes one every second.

    If none has ever come, its time counts as 0, the beginning of 1970.
    """
    last = scope.last_heartbeat
    age = scope.now.timestamp() - (last.timestamp() if last else 0)
    [detail] = heartbeat_faults(last, scope.now) or [f"the last heartbeat is of {utc(last)}" if last else ""]
    yield Reading(CONNECTOR, max(0.0, age), detail)


def _partitions(numbers: Iterable[int]) -> str:
    return ", ".join(f"partition {number}" for number in numbers)
