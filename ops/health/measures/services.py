"""Measures of the services that jobs depend on: whether they answer, and the state of each."""

from collections.abc import Callable, Iterable, Iterator

from connectors.postgres.captured_tables import CONNECTOR, SLOT, connector_config
from jobs.flow import CHANGES, NOTIFIER, PROGRAMS, SEARCH_INDEX, WAREHOUSE, Program
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
    "warehouse": lambda scope: scope.warehouse,
    "Elasticsearch": lambda scope: scope.search_cluster,
    "mail server": lambda scope: scope.mail_server,
}
"""Services that the checks ask, each with an answer that needs it."""
CAPTURE = ("Kafka Connect", "shop's database")
_READERS_OF_CHANGES = tuple(program for program in PROGRAMS if not set(CHANGES).isdisjoint(program.reads))
USERS: dict[str, tuple[Program, ...]] = {
    **dict.fromkeys(CAPTURE, _READERS_OF_CHANGES),
    "warehouse": (WAREHOUSE,),
    "Elasticsearch": (SEARCH_INDEX,),
    "mail server": (NOTIFIER,),
}
"""Services that only some programs need, so that a deployment without these does without them."""
DISK_STATES = ("green", "yellow", "red")
"""Elasticsearch's states of its disks, by the number of watermarks that are exceeded."""


def silent(scope: Scope) -> Iterator[Reading]:
    """Yield 1 for each service that doesn't answer, otherwise 0; leave out those that no program here needs."""
    for name, ask in SERVICES.items():
        if not _is_used(scope, name):
            continue
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
    if _is_captured(scope):
        faults = connector_faults(scope.connector, connector_config(scope.settings))
        yield Reading(CONNECTOR, len(faults), "; ".join(faults))


def shop_database(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of publication, slot, triggers and tables in the shop's database."""
    if _is_captured(scope):
        faults = database_faults(scope.shop_database)
        yield Reading("shop's database", len(faults), "; ".join(faults))


def unread_log(scope: Scope) -> Iterator[Reading]:
    """Yield the megabytes of the database's write-ahead log that capture has yet to read."""
    if _is_captured(scope) and (slot := scope.shop_database.slot) is not None:
        limit = "without a limit" if slot.limit == "-1" else f"of {slot.limit} at most"
        yield Reading(
            SLOT, slot.unread_bytes / 1_000_000, f"the server retains {slot.retained_bytes / 1_000_000:.1f} MB {limit}"
        )


def heartbeat_age(scope: Scope) -> Iterator[Reading]:
    """Yield the age of the last change that was captured; the connector makes one every second.

    If none has ever come, its time counts as 0, the beginning of 1970.
    """
    if _is_captured(scope):
        last = scope.last_heartbeat
        age = scope.now.timestamp() - (last.timestamp() if last else 0)
        [detail] = heartbeat_faults(last, scope.now) or [f"the last heartbeat is of {utc(last)}" if last else ""]
        yield Reading(CONNECTOR, max(0.0, age), detail)


def warehouse_schema(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of the warehouse's tables."""
    if _is_used(scope, "warehouse"):
        faults = scope.warehouse.faults
        yield Reading("warehouse", len(faults), "; ".join(faults))


def search_indices(scope: Scope) -> Iterator[Reading]:
    """Yield the number of faults of each alias of the search index, such as a block of its writes."""
    if _is_used(scope, "Elasticsearch"):
        for alias, faults in scope.search_faults.items():
            yield Reading(alias, len(faults), "; ".join(faults))


def search_shards(scope: Scope) -> Iterator[Reading]:
    """Yield 1 if documents of the search index are unavailable, otherwise 0."""
    if _is_used(scope, "Elasticsearch"):
        found = scope.search_cluster
        detail = f"the indices are {found.status}, and {found.unassigned_shards} of their shards have no node"
        yield Reading("Elasticsearch", int(found.status == "red"), detail)


def search_disks(scope: Scope) -> Iterator[Reading]:
    """Yield how many of Elasticsearch's two watermarks its disks exceed; nothing while it doesn't know."""
    if _is_used(scope, "Elasticsearch") and (found := scope.search_cluster).disk in DISK_STATES:
        yield Reading("Elasticsearch", DISK_STATES.index(found.disk), found.disk_in_words)


def _is_captured(scope: Scope) -> bool:
    """Return whether a program of this deployment reads captured changes, or some were captured."""
    return _is_used(scope, CAPTURE[0])


def _is_used(scope: Scope, service: str) -> bool:
    """Return whether a program of this deployment needs the service; if Kafka can't say, it may."""
    if service not in USERS:
        return True
    try:
        groups, ends = scope.brokers.groups, scope.brokers.ends
    except Exception:  # noqa: BLE001 - whatever it is, the checks of Kafka have it
        return True
    names = {program.name for program in USERS[service]}
    has_changes = any(ends[each] for each in ends if each.topic in {topic.name for topic in CHANGES})
    return any(group.name in names for group in groups) or (service in CAPTURE and has_changes)


def _partitions(numbers: Iterable[int]) -> str:
    return ", ".join(f"partition {number}" for number in numbers)
