"""What does the shop's database need so that its changes are captured, and what of it is there?"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from connectors.change_capture import (
    CAPTURED,
    HEARTBEATS,
    OWN_SCHEMA,
    PUBLICATION,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
)
from connectors.settings import Settings
from ops.postgres import Connection, DatabaseError, connecting, shop_address

STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""How long whoever uses a table is waited for; everybody else who wants it waits behind us meanwhile."""
APPLY_LOCK = 1_851_000_602
"""Any number: whoever carries out `cdc apply` holds PostgreSQL's advisory lock of that number."""

OWN_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA};

-- One row per connector, changed every few seconds: that it comes through shows that everything before it has.
CREATE TABLE IF NOT EXISTS {HEARTBEATS.name} (
    connector text PRIMARY KEY,
    beats bigint NOT NULL
);

-- One row per captured table: how far the rows that were there already have been read into the stream, and from what.
CREATE TABLE IF NOT EXISTS {OWN_SCHEMA}.readings (
    table_name text PRIMARY KEY,
    read_from text[] NOT NULL,
    read_up_to text,
    rows_read bigint NOT NULL DEFAULT 0,
    finished_at timestamptz
);

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of %.% is refused: its changes are captured, and a TRUNCATE does not say which rows are '
        'gone', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = format('DELETE FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
END
$$;

-- Nothing to do for a row; but with such a trigger COPY writes each row to the log for itself.
CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.row_by_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEW;
END
$$;
"""


@dataclass(frozen=True)
class Guard:
    """A trigger on every captured table of the shop."""

    name: str
    when: str
    function: str


GUARDS = (
    # A TRUNCATE says only that all rows are gone; whoever keeps a copy of them couldn't tell which.
    Guard("millrace_refuse_truncate", "BEFORE TRUNCATE", f"EXECUTE FUNCTION {OWN_SCHEMA}.refuse_truncate()"),
    # COPY packs many rows into one record of the log. They share its position, and Debezium 3.6 goes on behind it
    # after a crash, whether all of them were sent or not.
    Guard("millrace_row_by_row", "BEFORE INSERT", f"FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.row_by_row()"),
)


@dataclass(frozen=True)
class RealColumn:
    """A column as the database has it."""

    name: str
    type: str
    identity: str
    """Another one if the column or its type was replaced or the table rewritten, which may change values unseen."""


@dataclass(frozen=True)
class Reading:
    """How far the rows that were there already have been read into the stream."""

    read_from: frozenset[str]
    """Identities of the columns that were read."""
    rows: int
    finished_at: datetime | None


@dataclass(frozen=True)
class RealTable:
    """A captured table as the database has it."""

    columns: tuple[RealColumn, ...]
    primary_key: tuple[str, ...]
    is_identified_by_all: bool
    """REPLICA IDENTITY FULL: a change tells the whole row as it was before."""
    guards: frozenset[str]
    """Names of the triggers that are enabled."""
    is_published: bool
    reading: Reading | None


@dataclass(frozen=True)
class Slot:
    """The replication slot."""

    is_active: bool
    """Whether a connector reads it now."""
    is_lost: bool
    """Whether the server has thrown away what it would still have had to send."""
    retained_bytes: int
    unread_bytes: int
    limit: str
    """At most so much is retained, as the server's setting says it; -1 is no limit."""


@dataclass(frozen=True)
class CaptureDatabase:
    """What is there."""

    tables: dict[str, RealTable]
    """By name; those that aren't there are missing."""
    is_publication_there: bool
    slot: Slot | None
    is_being_applied: bool
    """Whether somebody carries out `cdc apply` now."""
    now: datetime


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """A connection to the shop's database that commits each statement by itself.

    Raises:
        DatabaseError: it can't be used, a table is locked for long, or it refuses.
    """
    address = shop_address(settings)
    with connecting(address, STATEMENT_SECONDS) as connection:
        try:
            connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
            yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise DatabaseError(
                f"somebody else's transaction has held a table of {address.url} for {LOCK_SECONDS} s: see pg_locks, "
                "and try again"
            ) from error
        except psycopg.ProgrammingError as error:
            raise DatabaseError(f"{address.url} refuses: {error}") from error


def look(connection: Connection) -> CaptureDatabase:
    """What is there; changes nothing."""
    readings = _readings(connection)
    tables = {table.name: _table(connection, table, readings.get(table.name)) for table in CAPTURED}
    [[now, is_published, is_being_applied]] = connection.execute(
        """
        SELECT
            now(),
            EXISTS (SELECT FROM pg_publication WHERE pubname = %s),
            EXISTS (
                SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                WHERE datname = current_database() AND locktype = 'advisory' AND classid = 0 AND objid = %s
            )
        """,
        [PUBLICATION, APPLY_LOCK],
    )
    found = {name: table for name, table in tables.items() if table is not None}
    return CaptureDatabase(found, is_published, _slot(connection), is_being_applied, now)


def lock(connection: Connection) -> None:
    """Keep others out who would carry out `cdc apply` meanwhile, until the connection is closed.

    Raises:
        DatabaseError: somebody does it now.
    """
    [[is_ours]] = connection.execute("SELECT pg_try_advisory_lock(%s)", [APPLY_LOCK])
    if not is_ours:
        raise DatabaseError("somebody else carries out `cdc apply` now: wait until it is done")


def set_up(connection: Connection) -> None:
    """Make what capturing needs in the database, but for the slot; what is there already stays as it is."""
    with connection.transaction():
        connection.execute(OWN_TABLES.encode())
        for table in SHOP_TABLES:
            _guard(connection, table)
            _make_relay(connection, table)
        _publish(connection)


def forget_readings(connection: Connection, tables: Iterable[CapturedTable]) -> None:
    """Have the rows of tables read again."""
    [[is_there]] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{OWN_SCHEMA}.readings"])
    if is_there:
        connection.execute(
            sql.SQL("DELETE FROM {}.readings WHERE table_name = ANY (%s)").format(sql.Identifier(OWN_SCHEMA)),
            [[table.name for table in tables]],
        )


def make_slot(connection: Connection) -> None:
    """Make the slot: what is committed from now on will be captured, and all rows are to be read again."""
    forget_readings(connection, SHOP_TABLES)
    connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])


def drop_slot(connection: Connection) -> None:
    """Give up the slot, if it is there."""
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [SLOT]
    )


def identifier(name: str) -> sql.Identifier:
    """A table as SQL names it, from `schema.table`."""
    return sql.Identifier(*name.split("."))


def captured_columns(table: CapturedTable, columns: tuple[RealColumn, ...]) -> tuple[RealColumn, ...]:
    """Those of a table's columns that are captured."""
    declared = {column.name for column in table.columns}
    return tuple(column for column in columns if column.name in declared)


def columns_of(connection: Connection, table: str) -> tuple[RealColumn, ...]:
    """A table's columns, in its order; none if there is no such table."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), "
        "concat_ws(' ', pg_relation_filenode(attrelid), attnum, attname, atttypid) "
        "FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return tuple(RealColumn(*row) for row in rows)


def _readings(connection: Connection) -> dict[str, Reading]:
    [[is_there]] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{OWN_SCHEMA}.readings"])
    if not is_there:
        return {}
    rows = connection.execute(
        sql.SQL("SELECT table_name, read_from, rows_read, finished_at FROM {}.readings").format(
            sql.Identifier(OWN_SCHEMA)
        )
    )
    return {name: Reading(frozenset(read_from), count, finished_at) for name, read_from, count, finished_at in rows}


def _table(connection: Connection, table: CapturedTable, reading: Reading | None) -> RealTable | None:
    columns = columns_of(connection, table.name)
    if not columns:
        return None
    [[identity, primary_key, guards, is_published]] = connection.execute(
        """
        SELECT
            relreplident = 'f',
            ARRAY(
                SELECT attname::text
                FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
                WHERE indrelid = pg_class.oid AND indisprimary
            ),
            ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgenabled = 'A'),
            EXISTS (SELECT FROM pg_publication_rel JOIN pg_publication ON prpubid = pg_publication.oid
                WHERE prrelid = pg_class.oid AND pubname = %s)
        FROM pg_class WHERE oid = to_regclass(%s)
        """,
        [PUBLICATION, table.name],
    )
    return RealTable(columns, tuple(primary_key), identity, frozenset(guards), is_published, reading)


def _slot(connection: Connection) -> Slot | None:
    row = connection.execute(
        """
        SELECT
            active,
            wal_status = 'lost',
            coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint,
            coalesce(pg_current_wal_lsn() - confirmed_flush_lsn, 0)::bigint,
            current_setting('max_slot_wal_keep_size')
        FROM pg_replication_slots WHERE slot_name = %s AND database = current_database()
        """,
        [SLOT],
    ).fetchone()
    return Slot(*row) if row else None


def _guard(connection: Connection, table: CapturedTable) -> None:
    name = identifier(table.name)
    [[is_full]] = connection.execute("SELECT relreplident = 'f' FROM pg_class WHERE oid = %s::regclass", [table.name])
    if not is_full:
        connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(name))
    there = connection.execute(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A'", [table.name]
    ).fetchall()
    for guard in GUARDS:
        if (guard.name,) not in there:
            trigger = sql.Identifier(guard.name)
            connection.execute(
                sql.SQL("CREATE OR REPLACE TRIGGER {} {} ON {} {}").format(
                    trigger,
                    sql.SQL(guard.when),
                    name,
                    sql.SQL(guard.function),
                )
            )
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(name, trigger))


def _make_relay(connection: Connection, table: CapturedTable) -> None:
    """A table with the columns that are captured, as they are now, for rows that are read; it stays empty."""
    columns = captured_columns(table, columns_of(connection, table.name))
    wanted = [("op", "text"), *((column.name, column.type) for column in columns)]
    if wanted == [(column.name, column.type) for column in columns_of(connection, table.relay)]:
        return
    relay, names = identifier(table.relay), [sql.Identifier(column.name) for column in columns]
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relay))
    connection.execute(
        sql.SQL("CREATE TABLE {} AS SELECT 'r'::text AS op, {} FROM {} WITH NO DATA").format(
            relay, sql.SQL(", ").join(names), identifier(table.name)
        )
    )
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(relay, sql.Identifier(table.primary_key)))


def _publish(connection: Connection) -> None:
    wanted = {name for table in CAPTURED for name in (table.name, table.relay) if name}
    rows = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = %s", [PUBLICATION]
    )
    if {name for (name,) in rows} == wanted:
        return
    publication, tables = sql.Identifier(PUBLICATION), sql.SQL(", ").join(map(identifier, sorted(wanted)))
    if connection.execute("SELECT FROM pg_publication WHERE pubname = %s", [PUBLICATION]).fetchone() is None:
        connection.execute(sql.SQL("CREATE PUBLICATION {} FOR TABLE {}").format(publication, tables))
    else:
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(publication, tables))
