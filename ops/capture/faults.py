"""Finds what is wrong with capture in the shop's database, and what `cdc apply` must do. Pure: works on a snapshot."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.postgres.captured_tables import (
    CAPTURED,
    HEARTBEAT_SECONDS,
    HEARTBEATS,
    PUBLICATION,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
)
from ops.capture.connector import APPLY
from ops.capture.database_setup import GUARDS
from ops.capture.database_state import OPERATIONS, CaptureDatabase, RealTable, captured_columns
from ops.capture.obstacles import obstacles

QUIET_SECONDS = 30
"""Maximum time without a heartbeat; beyond it something is wrong, whatever Connect reports."""


def database_faults(database: CaptureDatabase) -> list[str]:
    """Return what is wrong in the shop's database."""
    return [
        *obstacles(database),
        *slot_faults(database),
        *(fault for table in CAPTURED for fault in _table_faults(table, database)),
        *(fault for table in SHOP_TABLES for fault in _reading_faults(table, database)),
    ]


def slot_faults(database: CaptureDatabase) -> Iterator[str]:
    """Yield what is wrong with the publication and the replication slot."""
    slot = database.slot
    publication = database.publication
    if publication is None:
        yield f"there is no publication {PUBLICATION}, so nothing is captured: {APPLY}"
    elif missing := [each.upper() for each in OPERATIONS if each not in publication.operations]:
        yield f"the publication {PUBLICATION} leaves out {', '.join(missing)}, so such changes get lost: {APPLY}"
    if slot is None:
        yield f"there is no replication slot {SLOT}, so changes get lost: {APPLY}, which reads all rows again"
    elif slot.is_lost:
        yield (
            f"the replication slot was invalidated (more than {slot.limit} of the log unread, or an operator did "
            f"it): changes are lost; {APPLY}, which reads all rows again"
        )
    elif not slot.is_active:
        yield (
            "no client reads the replication slot, whatever Connect reports: right after a crash this ends within a "
            "minute; else look at Connect's log"
        )


def is_set_up(table: CapturedTable, database: CaptureDatabase) -> bool:
    """Return whether no change of a table can get lost."""
    real, publication = database.tables[table.name], database.publication
    if publication is None or publication.operations != frozenset(OPERATIONS):
        return False
    return not [*_publication_faults(table, real, database), *_guard_faults(table, real)]


def must_read(table: CapturedTable, database: CaptureDatabase) -> bool:
    """Return whether existing rows have values that were never sent to the stream."""
    real = database.tables.get(table.name)
    if real is None:
        return False
    is_read = real.reading is not None and real.reading.finished_at is not None
    return not is_read or bool(_unread_columns(table, real)) or _is_published_anew(real)


def heartbeat_faults(last: datetime | None, now: datetime) -> list[str]:
    """Return a fault if changes don't arrive. A heartbeat is a change like any other, made every few seconds."""
    if last is None:
        return [f"no change has ever arrived: there is no heartbeat in {HEARTBEATS.topic.name}"]
    silent = now - last
    if silent > timedelta(seconds=QUIET_SECONDS):
        return [
            f"changes don't arrive: the last heartbeat in {HEARTBEATS.topic.name} is of {_seconds(silent)} ago, "
            f"and there should be one every {HEARTBEAT_SECONDS} s"
        ]
    return []


def _table_faults(table: CapturedTable, database: CaptureDatabase) -> Iterator[str]:
    real = database.tables.get(table.name)
    if real is None:
        yield f"there is no table {table.name}"
        return
    yield from _publication_faults(table, real, database)
    if table in SHOP_TABLES:
        yield from _guard_faults(table, real)
        if real.primary_key != (table.primary_key,) and table.primary_key in real.unique_columns:
            yield f"the primary key of {table.name} isn't {table.primary_key}: a change of it is a dead letter"


def _publication_faults(table: CapturedTable, real: RealTable, database: CaptureDatabase) -> Iterator[str]:
    if database.publication is None:
        return  # reported once, in `slot_faults`
    if real.published is None:
        if real.what == "partitioned table" and database.publication.publishes_partitions:
            yield (
                f"{table.name} is partitioned, and its changes are published as those of its partitions, so they "
                f"get lost: {APPLY}"
            )
        else:
            yield f"{table.name} isn't in the publication, so its changes get lost: {APPLY}"
        return
    if real.published.row_filter:
        yield (
            f"the publication leaves out rows of {table.name} that aren't {real.published.row_filter}, so their "
            f"changes get lost: {APPLY}"
        )
    columns = captured_columns(table, real.columns)
    if missing := [column.name for column in columns if column.name not in real.published.columns]:
        yield f"the publication leaves out {', '.join(missing)} of {table.name}: {APPLY}"
    if table.relay and not (real.relay and real.relay.columns >= {"op"} and not real.relay.row_filter):
        yield f"{table.relay}, through which rows of {table.name} are read, isn't in the publication: {APPLY}"


def _guard_faults(table: CapturedTable, real: RealTable) -> Iterator[str]:
    where = f"{table.name}, or a partition of it," if real.partitions else table.name
    if not real.is_identified_by_all:
        yield f"{where} hasn't REPLICA IDENTITY FULL, so its deletions can't be captured: {APPLY}"
    for guard in GUARDS:
        if guard.name not in real.guards:
            yield f"the trigger {guard.name} of {where} is missing or disabled: {APPLY}"


def _reading_faults(table: CapturedTable, database: CaptureDatabase) -> Iterator[str]:
    real = database.tables.get(table.name)
    if real is None or database.is_being_applied:
        return
    if real.reading is None or real.reading.finished_at is None:
        yield f"the rows that were in {table.name} before haven't all been read: {APPLY}"
    elif unread := _unread_columns(table, real):
        columns = ", ".join(unread)
        yield f"{table.name} was rewritten or altered, and its values of {columns} aren't in the topic: {APPLY}"
    elif _is_published_anew(real):
        yield (
            f"the publication was altered after the rows of {table.name} were read, so changes may have got lost "
            f"meanwhile: {APPLY}"
        )


def _unread_columns(table: CapturedTable, real: RealTable) -> list[str]:
    """Return captured columns that were added, replaced or rewritten after the rows were read."""
    if real.reading is None:
        return []
    columns = captured_columns(table, real.columns)
    return [column.name for column in columns if column.identity not in real.reading.read_from]


def _is_published_anew(real: RealTable) -> bool:
    """Return whether the publication was altered after the rows were read; older readings didn't note it."""
    if real.published is None or real.reading is None:
        return False
    is_noted = any(identity.startswith("publication ") for identity in real.reading.read_from)
    return is_noted and real.published.identity not in real.reading.read_from


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f} s"
