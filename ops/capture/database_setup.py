"""Sets up the shop's database for capture: schema, triggers, relays, publication and replication slot."""

from collections.abc import Iterable
from dataclasses import dataclass

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
from connectors.postgres.client import Connection, DatabaseError
from ops.capture.database_queries import APPLY_LOCK, MEMBERS, columns_of, identifier, publication, published_tables
from ops.capture.database_state import OPERATIONS, RealColumn, captured_columns

OWN_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA};

-- One row per connector, changed every few seconds: its arrival in Kafka shows that all before it has arrived.
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


def lock(connection: Connection) -> None:
    """Prevent another `cdc apply` until the connection is closed.

    Raises:
        DatabaseError: another one is running now.
    """
    [[is_ours]] = connection.execute("SELECT pg_try_advisory_lock(%s)", [APPLY_LOCK])
    if not is_ours:
        raise DatabaseError("another `cdc apply` is running: wait until it has ended")


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


def _guard(connection: Connection, table: CapturedTable) -> None:
    members = connection.execute(
        f"SELECT oid::regclass::text, relreplident = 'f', oid <> to_regclass(%(table)s) AS is_partition "
        f"FROM ({MEMBERS}) AS members JOIN pg_class USING (oid) ORDER BY is_partition".encode(),
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
    name, tables = sql.Identifier(PUBLICATION), sql.SQL(", ").join(map(identifier, sorted(wanted)))
    options = sql.SQL("publish = {}, publish_via_partition_root = true").format(sql.Literal(", ".join(OPERATIONS)))
    there = publication(connection)
    if there is None:
        connection.execute(sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})").format(name, tables, options))
        return
    if there.operations != frozenset(OPERATIONS) or there.publishes_partitions:
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET ({})").format(name, options))
    [[is_cut]] = connection.execute(
        "SELECT count(*) > 0 FROM pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid "
        "WHERE pubname = %s AND (prqual IS NOT NULL OR prattrs IS NOT NULL)",
        [PUBLICATION],
    )
    if not there.is_of_all_tables and (is_cut or published_tables(connection).keys() != wanted):
        connection.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(name, tables))
