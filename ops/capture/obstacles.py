"""Finds what prevents capture of the shop's database and `cdc apply` can't repair. Pure: works on a snapshot."""

from collections.abc import Iterator

from connectors.postgres.captured_tables import BECOMES, KEY_TYPES, SHOP_TABLES, CapturedTable
from ops.capture.database_state import CaptureDatabase, RealTable, Server


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
        yield "the server has no replication slot left: drop an unused one, or raise max_replication_slots"
    if (slot is None or not slot.is_active) and server.free_senders <= 0:
        yield "the server has no WAL sender left: stop an unneeded client, or raise max_wal_senders"


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
                yield f"{lacks}: {becomes} doesn't need it"
        elif BECOMES.get(column.base) not in declared.kinds:
            yield f"{table.name}.{declared.name} is {column.type}, not {declared.kinds[0]}: {becomes} allows it"


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
                yield f"{table.name} has no column {declared.name}: {event} lacks it"
        elif found.is_generated:
            if not declared.is_required:
                yield f"{table.name}.{declared.name} is generated, so it isn't published: {event} lacks it"
        elif found.is_nullable and not declared.is_nullable:
            yield f"{table.name}.{declared.name} may be NULL, and such a row becomes a dead letter"


def _server_obstacles(server: Server) -> Iterator[str]:
    if server.wal_level != "logical":
        yield f"the server's wal_level is {server.wal_level}: set it to logical and restart the server"
    if not server.may_replicate:
        yield "our role in the shop's database may not replicate: ALTER ROLE … REPLICATION"
    if not server.may_create:
        yield "our role may not create a schema or a publication in the shop's database: GRANT CREATE ON DATABASE …"
    for what in server.foreign:
        yield f"{what} has our name, but belongs to another database, role or plugin: drop it, or change its owner"
    for name in server.odd_enums:
        yield (
            f"the type {name} is a domain over an enum, or an enum without labels; while it exists, used or not, "
            "Debezium 3.6 can't start: drop it, or make it text with a CHECK"
        )


def _relation_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    if real.what == "other":
        yield f"{table.name} isn't a table with rows of its own, so it has no changes to capture"
    if not real.is_logged:
        where = f"{table.name}, or a partition of it," if real.partitions else table.name
        yield f"{where} is UNLOGGED, so its changes aren't in the log: ALTER TABLE … SET LOGGED"
    if real.heirs:
        yield (
            f"{', '.join(real.heirs)} inherit from {table.name}: their rows count as rows of it, but their changes "
            "don't: make it a partitioned table, or ALTER TABLE … NO INHERIT"
        )
    if not real.is_ours:
        where = f"{table.name}, or a partition of it," if real.partitions else table.name
        yield f"{where} isn't owned by our role, so it can't be set up: GRANT its owner to our role"
    if real.hides_rows:
        yield (
            f"row-level security of {table.name} is forced, so that reading its rows may leave some out, which would "
            f"count as deleted: ALTER TABLE {table.name} NO FORCE ROW LEVEL SECURITY"
        )


def _key_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    name = table.primary_key
    column = next((each for each in real.columns if each.name == name), None)
    if column is None:
        return  # its field is required, so this is reported as a fault of its column
    if column.base not in KEY_TYPES:
        yield f"{table.name}.{name} is {column.type}, which can't be the key of events: make it text, uuid or a number"
    if name not in real.unique_columns:
        yield (
            f"{table.name} may have several rows with one {name}, or rows without it, but events are keyed by it: make "
            "it the primary key, or NOT NULL with a UNIQUE index"
        )


def _type_obstacles(table: CapturedTable, real: RealTable) -> Iterator[str]:
    for column in real.columns:  # Debezium also decodes columns that aren't captured
        if column.namesakes and not column.is_generated:
            yield (
                f"the type of {table.name}.{column.name}, {column.type}, has a namesake, "
                f"{', '.join(column.namesakes)}, which Debezium 3.6 may take for it, so that values become null or the "
                "connector stops: ALTER TYPE … RENAME, or DROP, one of them (ALTER TABLE if it is a table's)"
            )
