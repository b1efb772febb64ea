"""What is wrong with capturing changes, in words, and what does `cdc apply` have to do? From what is there alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.change_capture import (
    CAPTURED,
    CONNECTOR,
    HEARTBEAT_SECONDS,
    HEARTBEATS,
    PUBLICATION,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
)
from ops.capture_database import GUARDS, CaptureDatabase, RealTable, captured_columns

QUIET_SECONDS = 6 * HEARTBEAT_SECONDS
"""After so long without a heartbeat something is wrong, whatever Connect says."""
MOST_TRACE = 300

APPLY = "run `python -m ops cdc apply`"


@dataclass(frozen=True)
class RealConnector:
    """The connector as Connect has it."""

    state: str
    """Connect's word for it: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED…"""
    worker: str
    tasks: tuple[tuple[str, str], ...]
    """Of each task its state and, if it failed, why."""
    config: Mapping[str, str]

    @property
    def failures(self) -> list[str]:
        """Why tasks failed: the first line of the last cause."""
        return [_last_cause(trace) for state, trace in self.tasks if state == "FAILED"]


def connector_faults(connector: RealConnector | None, config: Mapping[str, str]) -> list[str]:
    """What is wrong with the connector, as far as Connect knows."""
    if connector is None:
        return [f"there is no connector {CONNECTOR}: {APPLY}"]
    found = []
    if connector.state != "RUNNING":
        found.append(f"the connector is {connector.state}: {APPLY}")
    elif not connector.tasks:
        found.append("the connector runs, but its task doesn't: look at Connect's log")
    for state, trace in connector.tasks:
        if state == "FAILED":
            found.append(f"the connector's task failed: {_last_cause(trace)}; when that is mended, {APPLY}")
        elif state != "RUNNING" and connector.state == "RUNNING":
            found.append(f"the connector's task is {state}")
    names = {*config, *connector.config}
    if changed := sorted(name for name in names if config.get(name) != connector.config.get(name)):
        found.append(f"the connector's configuration isn't the declared one in {', '.join(changed)}: {APPLY}")
    return found


def database_faults(database: CaptureDatabase) -> list[str]:
    """What is wrong in the shop's database."""
    return [
        *slot_faults(database),
        *(fault for table in CAPTURED for fault in _table_faults(table, database)),
        *(fault for table in SHOP_TABLES for fault in _reading_faults(table, database)),
    ]


def slot_faults(database: CaptureDatabase) -> Iterator[str]:
    """What is wrong with publication and replication slot."""
    slot = database.slot
    if not database.is_publication_there:
        yield f"there is no publication {PUBLICATION}, so nothing is captured: {APPLY}"
    if slot is None:
        yield f"there is no replication slot {SLOT}, so changes get lost: {APPLY}, which reads all rows again"
    elif slot.is_lost:
        yield (
            f"the replication slot was invalidated (more than {slot.limit} of the log unread, or the server was told "
            f"to): changes are lost; {APPLY}, which reads all rows again"
        )
    elif not slot.is_active:
        yield (
            "nobody reads the replication slot, whatever Connect says: right after a crash this mends itself within a "
            "minute; else look at Connect's log"
        )


def column_faults(table: CapturedTable, real: RealTable) -> Iterator[str]:
    """Columns because of which changes can't become events."""
    types = {column.name: column.type for column in real.columns}
    becomes = f"every change of {table.name} is a dead letter until {table.topic.event.__name__}"
    for column in table.columns:
        if column.name not in types:
            if column.is_required:
                yield f"{table.name} has no column {column.name}: {becomes} does without it"
        elif types[column.name].partition("(")[0] not in column.types:
            yield f"{table.name}.{column.name} is {types[column.name]}, not {column.types[0]}: {becomes} agrees"
    if real.primary_key != (table.primary_key,):
        yield f"the primary key of {table.name} isn't {table.primary_key}: a change of it is a dead letter"


def column_notes(table: CapturedTable, real: RealTable) -> Iterator[str]:
    """Differences from the event that do no harm."""
    types = {column.name for column in real.columns}
    event = table.topic.event.__name__
    for column in real.columns:
        if column.name not in {each.name for each in table.columns}:
            yield f"{table.name}.{column.name} isn't captured, since {event} doesn't declare it"
    for declared in table.columns:
        if declared.name not in types and not declared.is_required:
            yield f"{table.name} has no column {declared.name}: {event} goes without it"


def must_read(table: CapturedTable, database: CaptureDatabase) -> bool:
    """Whether rows that are there have values that were never told."""
    real = database.tables.get(table.name)
    if real is None:
        return False
    return real.reading is None or real.reading.finished_at is None or bool(_untold(table, real))


def heartbeat_faults(last: datetime | None, now: datetime) -> list[str]:
    """Whether changes come through. A heartbeat is a change like any other, and is made every few seconds."""
    if last is None:
        return [f"no change has ever come through: there is no heartbeat in {HEARTBEATS.topic.name}"]
    silent = now - last
    if silent > timedelta(seconds=QUIET_SECONDS):
        return [
            f"changes don't come through: the last heartbeat in {HEARTBEATS.topic.name} is of {_seconds(silent)} ago, "
            f"and there should be one every {HEARTBEAT_SECONDS} s"
        ]
    return []


def _table_faults(table: CapturedTable, database: CaptureDatabase) -> Iterator[str]:
    real = database.tables.get(table.name)
    if real is None:
        yield f"there is no table {table.name}"
        return
    if database.is_publication_there and not real.is_published:
        yield f"{table.name} isn't in the publication, so its changes get lost: {APPLY}"
    if table not in SHOP_TABLES:
        return
    if not real.is_identified_by_all:
        yield f"{table.name} hasn't REPLICA IDENTITY FULL, so its deletions can't be told: {APPLY}"
    for guard in GUARDS:
        if guard.name not in real.guards:
            yield f"the trigger {guard.name} of {table.name} is missing or disabled: {APPLY}"
    yield from column_faults(table, real)


def _reading_faults(table: CapturedTable, database: CaptureDatabase) -> Iterator[str]:
    real = database.tables.get(table.name)
    if real is None or database.is_being_applied:
        return
    if real.reading is None or real.reading.finished_at is None:
        yield f"the rows that were in {table.name} before haven't all been read: {APPLY}"
    elif untold := _untold(table, real):
        columns = ", ".join(untold)
        yield f"{table.name} was rewritten or altered, and what its rows have in {columns} isn't told: {APPLY}"


def _untold(table: CapturedTable, real: RealTable) -> list[str]:
    """Captured columns that were added, replaced or rewritten after the rows were read."""
    if real.reading is None:
        return []
    columns = captured_columns(table, real.columns)
    return [column.name for column in columns if column.identity not in real.reading.read_from]


def _last_cause(trace: str) -> str:
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")] or trace.splitlines()[:1]
    return causes[-1].removeprefix("Caused by: ")[:MOST_TRACE] if causes else "Connect doesn't say why"


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f} s"
