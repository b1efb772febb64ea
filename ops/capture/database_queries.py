"""Reads the state of the shop's database that capture depends on; changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import sql

from connectors.postgres.captured_tables import (
    CAPTURED,
    OWN_SCHEMA,
    PUBLICATION,
    SLOT,
    CapturedTable,
)
from connectors.postgres.client import Connection, DatabaseError, connecting, shop_address
from connectors.settings import Settings
from ops.capture.database_state import (
    OPERATIONS,
    CaptureDatabase,
    Publication,
    Published,
    Reading,
    RealColumn,
    RealTable,
    Server,
    Slot,
    captured_columns,
)

STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""Maximum wait for a lock on a table, in seconds; meanwhile all other clients of the table wait, too."""
APPLY_LOCK = 1_851_000_602
"""Key of PostgreSQL's advisory lock that `cdc apply` holds; the number is arbitrary."""

MEMBERS = (
    "SELECT to_regclass(%(table)s)::oid AS oid WHERE to_regclass(%(table)s) IS NOT NULL "
    "UNION SELECT relid::oid FROM pg_partition_tree(to_regclass(%(table)s))"
)
"""Query of a table and all its partitions."""


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
                f"another transaction has held a table of {address.url} for {LOCK_SECONDS} s: see pg_locks, "
                "and try again"
            ) from error
        except psycopg.ProgrammingError as error:
            raise DatabaseError(f"{address.url} refuses: {error}") from error


def look(connection: Connection) -> CaptureDatabase:
    """Read the current state; changes nothing."""
    readings, published = _readings(connection), published_tables(connection)
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
        tables, publication(connection), _slot(connection), _server(connection), is_being_applied, now
    )


def identifier(name: str) -> sql.Identifier:
    """Return a table's SQL identifier, from `schema.table`."""
    return sql.Identifier(*name.split("."))


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
            FROM (SELECT pg_relation_filenode(oid) FROM ({MEMBERS}) AS members) AS named (file)
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
    published = published_tables(connection).get(table.name)
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


def published_tables(connection: Connection) -> dict[str, Published]:
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


def publication(connection: Connection) -> Publication | None:
    """Return our publication; None if there is none."""
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
        WITH members AS ({MEMBERS})
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
