"""How does the shop's database get its tables and their first rows, and what is in them?"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from connectors.settings import Settings
from local.services.shop.rows import CUSTOMERS, PRODUCTS, RowT, Table, customers_at_first, products_at_first

SCHEMA_FILE = Path(__file__).with_name("schema.sql")
CONNECT_SECONDS = 5
SCHEMA_LOCK = 1_851_000_601
"""Any number: whoever makes the tables holds PostgreSQL's advisory lock of that number."""

Connection = psycopg.Connection[TupleRow]


def connect(settings: Settings) -> Connection:
    """A connection to the shop's database."""
    return psycopg.connect(
        settings.shop_database_url,
        user=settings.shop_database_user,
        password=settings.shop_database_password,
        connect_timeout=CONNECT_SECONDS,
        application_name="shop",
        prepare_threshold=None,  # a prepared plan would fail after somebody changes the table
    )


def prepare(connection: Connection, customers: int) -> dict[str, int]:
    """Make the tables that aren't there and fill those that are empty, all in one transaction.

    Returns:
        How many rows were filled in, by table.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        connection.execute(SCHEMA_FILE.read_bytes())
        return {
            CUSTOMERS.name: _fill(connection, CUSTOMERS, customers_at_first(customers)),
            PRODUCTS.name: _fill(connection, PRODUCTS, products_at_first()),
        }


def read(connection: Connection, table: Table[RowT]) -> list[RowT]:
    """All rows of a table, by key."""
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} COLLATE {}").format(
        columns(table), name(table), sql.Identifier(table.key), sql.Identifier("C")
    )
    return [table.row(*row) for row in connection.execute(query)]


def name(table: Table[RowT]) -> sql.Identifier:
    """The table as SQL names it."""
    return sql.Identifier(*table.name.split("."))


def columns(table: Table[RowT]) -> sql.Composed:
    """The columns as a list, as SQL names them."""
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


def _fill(connection: Connection, table: Table[RowT], rows: Iterable[RowT]) -> int:
    if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name(table))).fetchone():
        return 0
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name(table), columns(table))) as copy:
            for row in rows:
                copy.write_row(msgspec.structs.astuple(row))
        return cursor.rowcount
