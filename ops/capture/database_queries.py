"""What capture needs in the shop's database: reads the current state, and sets it up."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import sql

from connectors.postgres.captured_tables import (
    CAPTURED,
    HEARTBEATS,
    OWN_SCHEMA,
    PUBLICATION,
    SHOP_TABLES,
    SLOT,
    CapturedTable,
)
from connectors.postgres.client import Connection, DatabaseError, connecting, shop_address
from connectors.settings import Settings

STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""How long to wait for a lock on a table; meanwhile every other client that wants the table waits behind us."""
APPLY_LOCK = 1_851_000_602
"""Key of PostgreSQL's advisory lock that `cdc apply` holds; the number is arbitrary."""

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


_MEMBERS = (
    "SELECT to_regclass(%(table)s)::oid AS oid WHERE to_regclass(%(table)s) IS NOT NULL "
    "UNION SELECT relid::oid FROM pg_partition_tree(to_regclass(%(table)s))"
)
"""Query of a table and all its partitions."""


@dataclass(frozen=True)
class Guard:
    """A trigger on every captured table of the shop."""

    name: str
    when: str
    function: str

    @property
    def is_for_rows(self) -> bool:
        """Whether it is a trigger for each row."""
        return self.function.startswith("FOR EACH ROW")


GUARDS = (
    # A TRUNCATE reports only that all rows are gone; a consumer with a copy of the rows couldn't know which.
    Guard("millrace_refuse_truncate", "BEFORE TRUNCATE", f"EXECUTE FUNCTION {OWN_SCHEMA}.refuse_truncate()"),
    # COPY packs many rows into one record of the log. They share its position, and after a crash Debezium 3.6 resumes
    # behind it, whether all of them were sent or not.
    Guard("millrace_row_by_row", "BEFORE INSERT", f"FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.row_by_row()"),
)


@dataclass(frozen=True)
class RealColumn:
    """A column as it is in the database."""

    name: str
    type: str
    base: str
    """Type of its values, without length or domain: `enum`, `array`, or PostgreSQL's name for it."""
    is_nullable: bool
    is_generated: bool
    """Whether it is computed from other columns, so that the server doesn't publish it."""
    identity: str
    """Changes if the column or its type was replaced or the table rewritten, which may change values without events."""
    namesakes: tuple[str, ...] = ()
    """Other types that Debezium 3.6 may confuse with the column's, because it looks types up by name.

    It looks in the schema of the table first, be it the shop's table or the relay, and then takes the type that the
    server lists first, which is a built-in one if there is one.
    """


@dataclass(frozen=True)
class Published:
    """What the publication contains of a table."""

    columns: frozenset[str]
    row_filter: str
    """Condition that rows must fulfil to be published; empty if there is none."""
    identity: str
    """Changes with each change of what is published, even if that was reverted."""


@dataclass(frozen=True)
class Reading:
    """Progress of reading existing rows into the stream."""

    read_from: frozenset[str]
    """Identities of the columns that were read, and of what was published at that time."""
    rows: int
    finished_at: datetime | None


@dataclass(frozen=True)
class RealTable:
    """A captured table as it is in the database."""

    columns: tuple[RealColumn, ...]
    primary_key: tuple[str, ...]
    unique_columns: frozenset[str]
    """Columns that are unique on their own."""
    what: Literal["table", "partitioned table", "other"]
    partitions: tuple[str, ...]
    """Names of a partitioned table's partitions."""
    heirs: tuple[str, ...]
    """Tables that inherit from it: their rows count as its rows but aren't published as such."""
    is_logged: bool
    """Whether changes of it, and of all its partitions, are in the log."""
    is_ours: bool
    """Whether our role has the rights of its owner."""
    hides_rows: bool
    """Whether row-level security may hide rows even from its owner."""
    is_identified_by_all: bool
    """Whether it and its partitions have REPLICA IDENTITY FULL: a change contains the whole row as it was before."""
    guards: frozenset[str]
    """Names of the triggers that are enabled, on its partitions too."""
    published: Published | None
    """What the publication contains of it; None if it isn't in the publication."""
    relay: Published | None
    """What the publication contains of the table through which its rows are read."""
    reading: Reading | None


@dataclass(frozen=True)
class Publication:
    """Properties of the publication that apply to all its tables."""

    operations: frozenset[str]
    is_of_all_tables: bool
    tells_of_partitions: bool
    """Whether a change of a partition is published as the partition's own, not as the table's."""


OPERATIONS = ("insert", "update", "delete", "truncate")


@dataclass(frozen=True)
class Server:
    """What the server, the database and our role in it allow."""

    wal_level: str
    free_slots: int
    free_senders: int
    """Number of WAL senders that further clients can take; a connector takes one while it reads."""
    may_replicate: bool
    may_create: bool
    odd_enums: tuple[str, ...]
    """Types that count as enums and have no labels of their own: if one exists, Debezium 3.6 can't start."""
    foreign: tuple[str, ...]
    """Objects with our names that belong to another role or are of another kind."""


@dataclass(frozen=True)
class Slot:
    """State of the replication slot."""

    is_active: bool
    """Whether a connector reads it now."""
    is_lost: bool
    """Whether the server has removed parts of the log that it still had to send."""
    retained_bytes: int
    unread_bytes: int
    limit: str
    """Maximum that is retained, in the notation of the server's setting; -1 is no limit."""


@dataclass(frozen=True)
class CaptureDatabase:
    """Current state of the shop's database."""

    tables: dict[str, RealTable]
    """Captured tables by name; those that don't exist are missing."""
    publication: Publication | None
    slot: Slot | None
    server: Server
    is_being_applied: bool
    """Whether `cdc apply` is running now."""
    now: datetime


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """Open a connection to the shop's database that commits each statement by itself.

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
    """Read the current state; changes nothing."""
    readings, published = _readings(connection), _published(connection)
    tables = {
        table.name: _table(connection, table, published, readings.get(table.name))
        for table in CAPTURED
        if columns_of(connection, table.name)
    }
    [[now, is_being_applied]] = connection.execute(
        """
        SELECT
            now(),
            EXISTS (
                SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                WHERE datname = current_database() AND locktype = 'advisory' AND classid = 0 AND objid = %s
            )
        """,
        [APPLY_LOCK],
    )
    return CaptureDatabase(
        tables, _publication(connection), _slot(connection), _server(connection), is_being_applied, now
    )


def lock(connection: Connection) -> None:
    """Prevent another `cdc apply` until the connection is closed.

    Raises:
        DatabaseError: another one is running now.
    """
    [[is_ours]] = connection.execute("SELECT pg_try_advisory_lock(%s)", [APPLY_LOCK])
    if not is_ours:
        raise DatabaseError("somebody else carries out `cdc apply` now: wait until it is done")


def set_up(connection: Connection, to_read: Iterable[CapturedTable] = ()) -> None:
    """Create what capture needs in the database, except the slot, all or nothing; what is right stays as it is.

    Args:
        to_read: tables whose rows must be read again.
    """
    with connection.transaction():
        forget_readings(connection, to_read)
        connection.execute(OWN_TABLES.encode())
        for table in SHOP_TABLES:
            _guard(connection, table)
            _make_relay(connection, table)
        _publish(connection)


def forget_readings(connection: Connection, tables: Iterable[CapturedTable]) -> None:
    """Delete the progress of reading these tables, so that their rows are read again."""
    [[is_there]] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{OWN_SCHEMA}.readings"])
    if is_there:
        connection.execute(
            sql.SQL("DELETE FROM {}.readings WHERE table_name = ANY (%s)").format(sql.Identifier(OWN_SCHEMA)),
            [[table.name for table in tables]],
        )


def make_slot(connection: Connection) -> None:
    """Create the slot: all later commits will be captured, and all rows must be read again."""
    forget_readings(connection, SHOP_TABLES)
    connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])


def drop_slot(connection: Connection) -> None:
    """Drop the slot, if it exists."""
    connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [SLOT]
    )


def identifier(name: str) -> sql.Identifier:
    """Return a table's SQL identifier, from `schema.table`."""
    return sql.Identifier(*name.split("."))


def captured_columns(table: CapturedTable, columns: tuple[RealColumn, ...]) -> tuple[RealColumn, ...]:
    """Return the columns of a table that are captured."""
    declared = {column.name for column in table.columns}
    return tuple(column for column in columns if column.name in declared and not column.is_generated)


def columns_of(connection: Connection, table: str) -> tuple[RealColumn, ...]:
    """Return a table's columns, in their order; none if the table doesn't exist."""
    rows = connection.execute(
        f"""
        WITH RECURSIVE bases AS (
            SELECT attnum, atttypid AS type, atttypmod AS modifier, attnotnull AS is_required
            FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT attnum, typbasetype, typtypmod, is_required OR typnotnull
            FROM bases JOIN pg_type ON pg_type.oid = type AND typtype = 'd'
        )
        SELECT
            attname,
            format_type(atttypid, atttypmod),
            CASE
                WHEN typtype = 'e' THEN 'enum'
                WHEN typcategory = 'A' THEN 'array'
                WHEN typname = 'bit' AND modifier = 1 THEN 'bit(1)'
                WHEN typnamespace = 'pg_catalog'::regnamespace THEN format_type(type, NULL)
                WHEN typname IN ('citext', 'hstore') THEN typname::text
                ELSE format('%%s.%%s', typnamespace::regnamespace, typname)
            END,
            NOT is_required,
            attgenerated <> '',
            concat_ws(' ', files.names, attnum, attname, atttypid),
            ARRAY(
                SELECT format('%%s.%%I', other.typnamespace::regnamespace, other.typname)
                FROM pg_type AS own JOIN pg_type AS other USING (typname)
                WHERE own.oid = atttypid AND other.oid <> own.oid AND (
                    own.typnamespace <> 'pg_catalog'::regnamespace
                    OR other.typnamespace = (SELECT relnamespace FROM pg_class WHERE oid = attrelid)
                    OR other.typnamespace = to_regnamespace(%(own_schema)s)
                )
                UNION ALL
                -- Names that PostgreSQL knows only where a column is made; Debezium takes them for what they stand for.
                SELECT typname FROM pg_type
                WHERE oid = atttypid AND typname IN ('smallserial', 'serial', 'bigserial')
                ORDER BY 1
            )
        FROM pg_attribute
        JOIN bases USING (attnum)
        JOIN pg_type ON pg_type.oid = type AND typtype <> 'd'
        CROSS JOIN (
            SELECT CASE count(*) WHEN 1 THEN max(file)::text ELSE md5(string_agg(file::text, ' ' ORDER BY file)) END
            FROM (SELECT pg_relation_filenode(oid) FROM ({_MEMBERS}) AS members) AS named (file)
            WHERE file IS NOT NULL
        ) AS files (names)
        WHERE attrelid = to_regclass(%(table)s)
        ORDER BY attnum
        """.encode(),
        {"table": table, "own_schema": OWN_SCHEMA},
    )
    return tuple(replace(RealColumn(*row), namesakes=tuple(namesakes)) for *row, namesakes in rows)


def identities(connection: Connection, table: CapturedTable) -> list[str]:
    """Return the identities for which a reading of the table's rows is valid: of its columns and its publication."""
    published = _published(connection).get(table.name)
    columns = captured_columns(table, columns_of(connection, table.name))
    return [*(column.identity for column in columns), *([published.identity] if published else [])]


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


def _published(connection: Connection) -> dict[str, Published]:
    """Return what the server publishes, by the name of the table in the changes."""
    rows = connection.execute(
        """
        SELECT
            schemaname || '.' || tablename,
            attnames::text[],
            coalesce(rowfilter, ''),
            concat_ws(' ', 'publication', pg_publication.oid, pg_publication.xmin, pg_publication_rel.xmin)
        FROM pg_publication_tables
        JOIN pg_publication USING (pubname)
        LEFT JOIN pg_publication_rel
            ON prpubid = pg_publication.oid AND prrelid = format('%%I.%%I', schemaname, tablename)::regclass
        WHERE pubname = %s
        """,
        [PUBLICATION],
    )
    return {
        name: Published(frozenset(columns or ()), row_filter, identity) for name, columns, row_filter, identity in rows
    }


def _publication(connection: Connection) -> Publication | None:
    row = connection.execute(
        "SELECT pubinsert, pubupdate, pubdelete, pubtruncate, puballtables, NOT pubviaroot "
        "FROM pg_publication WHERE pubname = %s",
        [PUBLICATION],
    ).fetchone()
    if row is None:
        return None
    operations = frozenset(name for name, is_published in zip(OPERATIONS, row, strict=False) if is_published)
    return Publication(operations, *row[len(OPERATIONS) :])


def _server(connection: Connection) -> Server:
    [row] = connection.execute(
        """
        SELECT
            current_setting('wal_level'),
            current_setting('max_replication_slots')::integer - (SELECT count(*) FROM pg_replication_slots),
            current_setting('max_wal_senders')::integer - (SELECT count(*) FROM pg_stat_get_wal_senders()),
            rolreplication OR rolsuper,
            has_database_privilege(current_database(), 'CREATE'),
            ARRAY(
                SELECT format_type(oid, NULL) FROM pg_type
                WHERE typcategory = 'E' AND oid NOT IN (SELECT enumtypid FROM pg_enum)
            ),
            ARRAY(
                SELECT 'the replication slot ' || slot_name FROM pg_replication_slots
                WHERE slot_name = %(slot)s AND (database IS DISTINCT FROM current_database() OR plugin <> 'pgoutput')
                UNION ALL
                SELECT 'the publication ' || pubname FROM pg_publication
                WHERE pubname = %(publication)s AND NOT pg_has_role(pubowner, 'USAGE')
                UNION ALL
                SELECT 'the schema ' || nspname FROM pg_namespace
                WHERE nspname = %(schema)s AND NOT pg_has_role(nspowner, 'USAGE')
            )
        FROM pg_roles WHERE rolname = current_user
        """,
        {"slot": SLOT, "publication": PUBLICATION, "schema": OWN_SCHEMA},
    )
    wal_level, free_slots, free_senders, may_replicate, may_create, odd_enums, foreign = row
    return Server(wal_level, free_slots, free_senders, may_replicate, may_create, tuple(odd_enums), tuple(foreign))


def _table(
    connection: Connection, table: CapturedTable, published: Mapping[str, Published], reading: Reading | None
) -> RealTable:
    [row] = connection.execute(
        f"""
        WITH members AS ({_MEMBERS})
        SELECT
            ARRAY(
                SELECT attname::text
                FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
                WHERE indrelid = root.oid AND indisprimary
            ),
            ARRAY(
                SELECT attname::text
                FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] AND attnotnull
                WHERE indrelid = root.oid AND indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL
            ),
            CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' ELSE 'other' END,
            ARRAY(SELECT oid::regclass::text FROM members WHERE oid <> root.oid ORDER BY 1),
            ARRAY(SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = root.oid AND relkind = 'r'),
            (SELECT bool_and(relpersistence = 'p') FROM members JOIN pg_class USING (oid)),
            (SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM members JOIN pg_class USING (oid)),
            relrowsecurity AND relforcerowsecurity
                AND NOT (SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user),
            (SELECT bool_and(relreplident = 'f') FROM members JOIN pg_class USING (oid)),
            ARRAY(
                SELECT tgname::text FROM pg_trigger JOIN members ON members.oid = tgrelid WHERE tgenabled = 'A'
                GROUP BY tgname HAVING count(*) = (SELECT count(*) FROM members)
            )
        FROM pg_class AS root WHERE oid = to_regclass(%(table)s)
        """.encode(),
        {"table": table.name},
    )
    primary_key, unique, what, partitions, heirs, is_logged, is_ours, hides_rows, is_identified, guards = row
    return RealTable(
        columns=columns_of(connection, table.name),
        primary_key=tuple(primary_key),
        unique_columns=frozenset(unique),
        what=what,
        partitions=tuple(partitions),
        heirs=tuple(heirs),
        is_logged=is_logged,
        is_ours=is_ours,
        hides_rows=hides_rows,
        is_identified_by_all=is_identified,
        guards=frozenset(guards),
        published=published.get(table.name),
        relay=published.get(table.relay),
        reading=reading,
    )


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
    members = connection.execute(
        f"SELECT oid::regclass::text, relreplident = 'f', oid <> to_regclass(%(table)s) AS is_partition "
        f"FROM ({_MEMBERS}) AS members JOIN pg_class USING (oid) ORDER BY is_partition".encode(),
        {"table": table.name},
    ).fetchall()
    for member, is_full, is_partition in members:
        name = sql.SQL(member)  # already quoted by the server
        if not is_full:
            connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(name))
        there = connection.execute(
            "SELECT tgname::text FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A'", [member]
        ).fetchall()
        for guard in GUARDS:
            # A partition inherits its table's triggers for rows.
            if (guard.name,) in there or (is_partition and guard.is_for_rows):
                continue
            trigger = sql.Identifier(guard.name)
            connection.execute(
                sql.SQL("CREATE OR REPLACE TRIGGER {} {} ON {} {}").format(
                    trigger, sql.SQL(guard.when), name, sql.SQL(guard.function)
                )
            )
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(name, trigger))


def _make_relay(connection: Connection, table: CapturedTable) -> None:
    """Create the relay: a table with the current captured columns, through which rows are read; it stays empty."""
    columns = captured_columns(table, columns_of(connection, table.name))
    wanted = [("op", "text"), *((column.name, _relay_type(column)) for column in columns)]
    if wanted == [(column.name, column.type) for column in columns_of(connection, table.relay)]:
        return
    relay = identifier(table.relay)
    definitions = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_)) for name, type_ in wanted]
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relay))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(
            relay, sql.SQL(", ").join(definitions), sql.Identifier(table.primary_key)
        )
    )


def _relay_type(column: RealColumn) -> str:
    """Return text where the event has the same text, so that a deletion can contain values the column no longer
    accepts."""
    return "text" if column.base in ("text", "character varying", "citext", "uuid", "enum") else column.type


def _publish(connection: Connection) -> None:
    wanted = {name for table in CAPTURED for name in (table.name, table.relay) if name}
    publication, tables = sql.Identifier(PUBLICATION), sql.SQL(", ").join(map(identifier, sorted(wanted)))
    options = sql.SQL("publish = {}, publish_via_partition_root = true").format(sql.Literal(", ".join(OPERATIONS)))
    there = _publication(connection)
    if there is None:
        connection.execute(sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})").format(publication, tables, options))
        return
    if there.operations != frozenset(OPERATIONS) or there.tells_of_partitions:
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET ({})").format(publication, options))
    [[is_cut]] = connection.execute(
        "SELECT count(*) > 0 FROM pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid "
        "WHERE pubname = %s AND (prqual IS NOT NULL OR prattrs IS NOT NULL)",
        [PUBLICATION],
    )
    if not there.is_of_all_tables and (is_cut or _published(connection).keys() != wanted):
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(publication, tables))
