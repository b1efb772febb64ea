"""Reads rows that existed before capture into the stream, batch by batch.

Each batch locks its rows and writes them into a relay table that is captured too, in one transaction. So the event of a
row has a position in the log and a time between the changes before and after it.
"""

import msgspec
from psycopg import sql

from connectors.kafka.reading import committed_records
from connectors.outage import Report
from connectors.postgres.captured_tables import OWN_SCHEMA, CapturedTable
from connectors.postgres.client import Connection
from connectors.settings import Settings
from ops.capture.database_queries import columns_of, identifier, identities
from ops.capture.database_state import RealColumn, captured_columns
from ops.capture.progress import wait_until_captured

BATCH_ROWS = 2_000


class _Version(msgspec.Struct):
    """Fields of a row version that determine which rows readers of the topic consider to exist."""

    lsn: int
    deleted: bool


def read_rows(connection: Connection, settings: Settings, table: CapturedTable, report: Report) -> None:
    """Send every row of a table to the stream, and a deletion for rows that only the topic still has.

    Resumes where an earlier call was interrupted.
    """
    columns = captured_columns(table, columns_of(connection, table.name))
    report(f"{table.name}: {relay_rows(connection, table, columns):,} rows are read")
    gone = _delete_absent(connection, settings, table, columns)
    if gone:
        report(f"{table.name}: {gone:,} rows no longer exist, and are deleted in the topic")
    connection.execute(_in_own_schema("UPDATE {}.readings SET finished_at = now() WHERE table_name = %s"), [table.name])


def relay_rows(connection: Connection, table: CapturedTable, columns: tuple[RealColumn, ...]) -> int:
    """Write every row into the relay, batch by batch; return their number."""
    _begin(connection, table)
    rows: int | None = 0
    while rows is not None:
        total, rows = rows, _read_batch(connection, table, columns)
    return total


def _begin(connection: Connection, table: CapturedTable) -> None:
    """Resume a reading of the same columns, or start a new one."""
    connection.execute(
        _in_own_schema(
            """
            INSERT INTO {0}.readings (table_name, read_from) VALUES (%s, %s)
            ON CONFLICT (table_name) DO UPDATE
            SET read_from = excluded.read_from, read_up_to = NULL, rows_read = 0, finished_at = NULL
            WHERE readings.finished_at IS NOT NULL OR readings.read_from <> excluded.read_from
            """
        ),
        [table.name, identities(connection, table)],
    )


def _read_batch(connection: Connection, table: CapturedTable, columns: tuple[RealColumn, ...]) -> int | None:
    """Read a batch of rows; return how many have been read so far, or None if there are no more."""
    _empty_relay(connection, table)
    names = [sql.Identifier(column.name) for column in columns]
    with connection.transaction():
        [[after]] = connection.execute(
            _in_own_schema("SELECT read_up_to FROM {}.readings WHERE table_name = %s FOR UPDATE"), [table.name]
        )
        key = sql.Identifier(table.primary_key)
        behind = sql.SQL("") if after is None else sql.SQL("WHERE {} > {}").format(key, sql.Literal(after))
        [[rows, last]] = connection.execute(
            sql.SQL(
                "WITH batch AS MATERIALIZED "
                "(SELECT {columns} FROM {table} {behind} ORDER BY {key} LIMIT {most} FOR SHARE), "
                "written AS (INSERT INTO {relay} (op, {columns}) SELECT 'r', {columns} FROM batch) "
                # Not max(key): not every type has that.
                "SELECT (SELECT count(*) FROM batch), "
                "(SELECT format('%s', {key}) FROM batch ORDER BY {key} DESC LIMIT 1)"
            ).format(
                columns=sql.SQL(", ").join(names),
                table=identifier(table.name),
                behind=behind,
                key=key,
                most=sql.Literal(BATCH_ROWS),
                relay=identifier(table.relay),
            )
        )
        if not rows:
            return None
        [[total]] = connection.execute(
            _in_own_schema(
                "UPDATE {}.readings SET read_up_to = %s, rows_read = rows_read + %s WHERE table_name = %s "
                "RETURNING rows_read"
            ),
            [last, rows, table.name],
        )
    return int(total)


def _existing(settings: Settings, table: CapturedTable) -> dict[str, bytes]:
    """Return the last version of each row that isn't deleted, as far as the topic has it, by key."""
    newest: dict[str, tuple[int, bytes]] = {}
    decoder = msgspec.json.Decoder(_Version)
    for record in committed_records(settings, table.topic.name):
        try:
            version = decoder.decode(record.value)
        except msgspec.MsgspecError:
            continue  # not a row version; a consumer of events makes it a dead letter
        key = record.key.decode() if record.key else ""
        if version.lsn >= newest.get(key, (0, b""))[0]:
            newest[key] = (version.lsn, b"" if version.deleted else record.value)
    return {key: value for key, (_, value) in newest.items() if value}


def _delete_absent(
    connection: Connection, settings: Settings, table: CapturedTable, columns: tuple[RealColumn, ...]
) -> int:
    """Send deletions of rows that the topic has and the table hasn't; return their number."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    relay = identifier(table.relay)
    candidates = absent(connection, table, _existing(settings, table))
    if not candidates:
        return 0
    # The deletion of some may be captured and not in the topic yet: those need no second one.
    wait_until_captured(settings)
    candidates = {key: value for key, value in _existing(settings, table).items() if key in candidates}
    with connection.transaction():
        # Otherwise a row created meanwhile could be sent before its deletion, and count as deleted from then on.
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(identifier(table.name)))
        gone = absent(connection, table, candidates)
        connection.cursor().executemany(
            sql.SQL("INSERT INTO {0} (op, {1}) SELECT 'd', {1} FROM jsonb_populate_record(NULL::{0}, %s)").format(
                relay, names
            ),
            [[value.decode()] for value in gone.values()],
        )
    _empty_relay(connection, table)
    return len(gone)


def _empty_relay(connection: Connection, table: CapturedTable) -> None:
    """Delete the relay's rows in a transaction of their own: those deletions emit nothing, and after a crash the log
    must end with what was sent."""
    connection.execute(sql.SQL("DELETE FROM {}").format(identifier(table.relay)))


def absent(connection: Connection, table: CapturedTable, versions: dict[str, bytes]) -> dict[str, bytes]:
    """Return the versions whose key isn't in the table now."""
    rows = connection.execute(
        sql.SQL(
            # Not key::text, which removes the blanks at the end of a char(n).
            "SELECT key FROM unnest(%s::text[]) AS key WHERE NOT EXISTS (SELECT FROM {} WHERE format('%%s', {}) = key)"
        ).format(identifier(table.name), sql.Identifier(table.primary_key)),
        [list(versions)],
    )
    return {key: versions[key] for (key,) in rows}


def _in_own_schema(query: str) -> sql.Composed:
    return sql.SQL(query).format(sql.Identifier(OWN_SCHEMA))
