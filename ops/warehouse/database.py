"""Creates and migrates the warehouse in PostgreSQL, and reports its state."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg import sql as composed

import sql
from connectors.postgres.client import Address, Connection, connecting
from connectors.settings import Settings
from ops.warehouse import migrations
from ops.warehouse.migrations import Migration

SCHEMA = "warehouse"
FOLDER = Path(str(sql.__file__)).parent / "tables" / "warehouse"
MIGRATE_SECONDS = 600
"""Time limit of a statement, in seconds: an index on a large table takes minutes."""


@dataclass(frozen=True)
class Filled:
    """Content of one table."""

    table: str
    rows: int
    newest: datetime | None
    """Event time of the newest row; None if there is none."""


def address(settings: Settings) -> Address:
    """Return the warehouse's address."""
    return Address(
        settings.warehouse_url, settings.warehouse_user, settings.warehouse_password, variable="MILLRACE_WAREHOUSE"
    )


def migrate(settings: Settings, folder: Path = FOLDER) -> list[Migration]:
    """Migrate the warehouse to the newest version; return the migrations that were applied.

    Raises:
        DatabaseError: it can't be reached.
        MigrationError: the files don't continue from its version, or one of them failed.
    """
    files = migrations.read(folder)
    with connecting(address(settings), MIGRATE_SECONDS) as connection:
        return migrations.migrate(connection, SCHEMA, files)


def tables(connection: Connection) -> list[Filled]:
    """Return the content of each table; counts every row."""
    columns = connection.execute(
        """
        SELECT table_name, column_name
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = %s AND table_type = 'BASE TABLE' AND column_name IN ('event_time', 'valid_from')
        ORDER BY table_name
        """,
        [SCHEMA],
    ).fetchall()
    return [_filled(connection, name, time) for name, time in columns]


def _filled(connection: Connection, name: str, time: str) -> Filled:
    query = composed.SQL("SELECT count(*), max({}) FROM {}").format(
        composed.Identifier(time), composed.Identifier(SCHEMA, name)
    )
    [[rows, newest]] = connection.execute(query)
    return Filled(name, rows, newest)
