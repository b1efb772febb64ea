"""Finds faults of change capture, and what `cdc apply` must do about them. Pure: works on a snapshot of the state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.postgres.captured_tables import (
    BECOMES,
    CAPTURED,
    CONNECTOR,
    HEARTBEAT_SECONDS,
    HEARTBEATS,
    KEY_TYPES,
    PUBLICATION,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
)
from ops.capture.database_setup import GUARDS
from ops.capture.database_state import OPERATIONS, CaptureDatabase, RealTable, Server, captured_columns

QUIET_SECONDS = 30
"""Maximum time without a heartbeat; beyond it something is wrong, whatever Connect reports."""
MOST_TRACE = 300

APPLY = "run `python -m ops cdc apply`"


@dataclass(frozen=True)
class RealConnector:
    """The connector as Connect reports it."""

    state: str
    """Connect's state: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED…"""
    worker: str
    tasks: tuple[tuple[str, str], ...]
    """State of each task and, if it failed, the stack trace."""
    config: Mapping[str, str]

    @property
    def failures(self) -> list[str]:
        """Why tasks failed: the first line of the last cause."""
        return [_last_cause(trace) for state, trace in self.tasks if state == "FAILED"]


def connector_faults(connector: RealConnector | None, config: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the connector, as far as Connect knows."""
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
    """Return what is wrong in the shop's database."""
    return [
        *obstacles(database),
        *slot_faults(database),
        *(fault for table in CAPTURED for fault in _table_faults(table, database)),
        *(fault for table in SHOP_TABLES for fault in _reading_faults(table, database)),
    ]


def obstacles(database: CaptureDatabase) -> list[str]:
    """Return faults that `cdc apply` can't repair: it would stop half-way, or capture what is not a valid event."""
    tables = [(table, real) for table in SHOP_TABLES if (real := database.tables.get(table.name))]
    return [
        *_server_obstacles(database.server),
        *(fault for table, real in tables for fault in _relation_obstacles(table, real)),
        *(fault for table, real in tables for fault in _key_obstacles(table, real)),
        *(fault for table, real in tables for fault in _type_obstacles(table, real)),
        *(fault for table, real in tables for fault in column_faults(table, real)),
    ]


def shortages(database: CaptureDatabase) -> Iterator[str]:
    """Yield resources that `cdc apply` needs and the server has none left of."""
    slot, server = database.slot, database.server
    if slot is None and server.free_slots <= 0:
        yield "the server has no replication slot left: drop one that nobody needs, or raise max_replication_slots"
    if (slot is None or not slot.is_active) and server.free_senders <= 0:
        yield "the server has no WAL sender left: end a client that nobody needs, or raise max_wal_senders"


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
            f"the replication slot was invalidated (more than {slot.limit} of the log unread, or the server was told "
            f"to): changes are lost; {APPLY}, which reads all rows again"
        )
    elif not slot.is_active:
        yield (
            "nobody reads the replication slot, whatever Connect says: right after a crash this mends itself within a "
            "minute; else look at Connect's log"
        )


def column_faults(table: CapturedTable, real: RealTable) -> Iterator[str]:
    """Yield columns that prevent changes from becoming valid events."""
    columns = {column.name: column for column in real.columns}
    becomes = f"every change of {table.name} is a dead letter until {table.topic.event.__name__}"
    for declared in table.columns:
        column = columns.get(declared.name)
        if column is None or column.is_generated:
            if declared.is_required:
                lacks = (
                    f"{table.name} has no column {declared.name}"
                    if column is None
                    else f"{table.name}.{declared.name} is generated, which PostgreSQL doesn't publish"
                )
                yield f"{lacks}: {becomes} does without it"
        elif BECOMES.get(column.base) not in declared.kinds:
            yield f"{table.name}.{declared.name} is {column.type}, not {declared.kinds[0]}: {becomes} agrees"


def column_notes(table: CapturedTable, real: RealTable) -> Iterator[str]:
    """Yield differences from the event that are harmless, or affect only some changes."""
    columns = {column.name: column for column in real.columns}
    event = table.topic.event.__name__
    for column in real.columns:
        if column.name not in {each.name for each in table.columns}:
            yield f"{table.name}.{column.name} isn't captured, since {event} doesn't declare it"
    for declared in table.columns:
        found = columns.get(declared.name)
        if found is None:
            if not declared.is_required:
                yield f"{table.name} has no column {declared.name}: {event} goes without it"
        elif found.is_generated:
            if not declared.is_required:
                yield f"{table.name}.{declared.name} is generated, so it isn't published: {event} goes without it"
        elif found.is_nullable and not declared.is_nullable:
            yield f"{table.name}.{declared.name} may be NULL, and a row in which it is becomes a dead letter"


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
    return not is_read or bool(_untold(table, real)) or _is_published_anew(real)


def heartbeat_faults(last: datetime | None, now: datetime) -> list[str]:
    """Return a fault if changes don't come through. A heartbeat is a change like any other, made every few seconds."""
    if last is None:
        return [f"no change has ever come through: there is no heartbeat in {HEARTBEATS.topic.name}"]
    silent = now - last
    if silent > timedelta(seconds=QUIET_SECONDS):
        return [
            f"changes don't come through: the last heartbeat in {HEARTBEATS.topic.name} is of {_seconds(silent)} ago, "
            f"and there should be one every {HEARTBEAT_SECONDS} s"
        ]
    return []


def _server_obstacles(server: Server) -> Iterator[str]:
    if server.wal_level != "logical":
        yield f"the server's wal_level is {server.wal_level}: set it to logical and restart the server"
    if not server.may_replicate:
        yield "our role in the shop's database hasn't the right to replicate: ALTER ROLE … REPLICATION"
    if not server.may_create:
        yield "our role may make no schema and no publication in the shop's database: GRANT CREATE ON DATABASE …"
    for what in server.foreign:
        yield f"{what} has our name, and is another database's, role's or plugin's: drop it, or change its owner"
    for name in server.odd_enums:
        yield (
            f"the type {name} is a domain over an enum, or an enum without labels; where there is one, whoever uses "
            "it, Debezium 3.6 can't start: drop it, or make it text with a CHECK"
        )


def _relation_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    if real.what == "other":
        yield f"{table.name} is no table that has rows of its own, so it has no changes to capture"
    if not real.is_logged:
        where = f"{table.name}, or a partition of it," if real.partitions else table.name
        yield f"{where} is UNLOGGED, so its changes aren't in the log: ALTER TABLE … SET LOGGED"
    if real.heirs:
        yield (
            f"{', '.join(real.heirs)} inherit from {table.name}: their rows count as rows of it, and their changes "
            "don't: make it a partitioned table, or ALTER TABLE … NO INHERIT"
        )
    if not real.is_ours:
        where = f"{table.name}, or a partition of it," if real.partitions else table.name
        yield f"{where} isn't owned by our role, so it can't be set up: GRANT its owner to our role"
    if real.hides_rows:
        yield (
            f"row-level security of {table.name} is forced, so that reading its rows may leave some out, which would "
            f"count as gone: ALTER TABLE {table.name} NO FORCE ROW LEVEL SECURITY"
        )


def _key_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    name = table.primary_key
    column = next((each for each in real.columns if each.name == name), None)
    if column is None:
        return  # its field is required, so this is reported as a fault of its column
    if column.base not in KEY_TYPES:
        yield f"{table.name}.{name} is {column.type}, by which events can't be keyed: make it text, uuid or a number"
    if name not in real.unique_columns:
        yield (
            f"{table.name} may have several rows of one {name}, or none of it, by which its events are keyed: make it "
            "the primary key, or NOT NULL with a UNIQUE index"
        )


def _type_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    for column in real.columns:  # Debezium also decodes columns that aren't captured
        if column.namesakes and not column.is_generated:
            yield (
                f"the type of {table.name}.{column.name}, {column.type}, has a namesake, "
                f"{', '.join(column.namesakes)}, which Debezium 3.6 may take for it, so that values become null or the "
                "connector stops: ALTER TYPE … RENAME, or DROP, one of them (ALTER TABLE if it is a table's)"
            )


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
        if real.what == "partitioned table" and database.publication.tells_of_partitions:
            yield (
                f"{table.name} is partitioned, and the publication tells changes as those of its partitions, so they "
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
        yield f"{where} hasn't REPLICA IDENTITY FULL, so its deletions can't be told: {APPLY}"
    for guard in GUARDS:
        if guard.name not in real.guards:
            yield f"the trigger {guard.name} of {where} is missing or disabled: {APPLY}"


def _reading_faults(table: CapturedTable, database: CaptureDatabase) -> Iterator[str]:
    real = database.tables.get(table.name)
    if real is None or database.is_being_applied:
        return
    if real.reading is None or real.reading.finished_at is None:
        yield f"the rows that were in {table.name} before haven't all been read: {APPLY}"
    elif untold := _untold(table, real):
        columns = ", ".join(untold)
        yield f"{table.name} was rewritten or altered, and what its rows have in {columns} isn't told: {APPLY}"
    elif _is_published_anew(real):
        yield (
            f"the publication was altered after the rows of {table.name} were read, so changes may have got lost "
            f"meanwhile: {APPLY}"
        )


def _untold(table: CapturedTable, real: RealTable) -> list[str]:
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


def _last_cause(trace: str) -> str:
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")] or trace.splitlines()[:1]
    return causes[-1].removeprefix("Caused by: ")[:MOST_TRACE] if causes else "Connect doesn't say why"


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.0f} s"
