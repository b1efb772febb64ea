"""Creates and fills the tables of the shop's database, and reads them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from connectors.postgres import client as postgres
from connectors.postgres.client import CONNECT_SECONDS, Connection, connecting, shop_address
from connectors.settings import Settings
from local.simulator.shop.rows import (
    CUSTOMERS,
    PRODUCTS,
    AnyTable,
    CustomerRow,
    ProductRow,
    Row,
    RowT,
    Table,
    initial_customers,
    initial_products,
)

SCHEMA_FILE = Path(__file__).with_name("schema.sql")
LOCK_SECONDS = 10
STATEMENT_SECONDS = 60
SCHEMA_LOCK = 1_851_000_601
"""Key of PostgreSQL's advisory lock that is held while the tables are created; the number is arbitrary."""


class ShopError(RuntimeError):
    """The shop's database can't be used or changed; the text says why, and what to do."""


def connect(settings: Settings) -> Connection:
    """Open a connection to the shop's database, with a transaction for each statement unless one is begun."""
    return postgres.connect(
        settings.shop_database_url,
        user=settings.shop_database_user,
        password=settings.shop_database_password,
        connect_timeout=CONNECT_SECONDS,
        application_name="shop",
        options=f"-c lock_timeout={LOCK_SECONDS}s",
        autocommit=True,
        prepare_threshold=None,  # a prepared plan would fail after a change of the table
    )


def make_tables(settings: Settings, customers: int) -> dict[str, int]:
    """Create missing tables and fill empty ones, all in one transaction.

    Returns:
        Number of rows that were inserted, by table.

    Raises:
        DatabaseError: the database can't be reached.
        ShopError: it can't be used.
    """
    with _connecting(settings) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
        connection.execute(SCHEMA_FILE.read_bytes())
        return {
            CUSTOMERS.name: _fill(connection, CUSTOMERS, initial_customers(customers)),
            PRODUCTS.name: _fill(connection, PRODUCTS, initial_products()),
        }


def read_all(settings: Settings) -> tuple[list[CustomerRow], list[ProductRow]]:
    """Read all customers and products, as they were at one moment.

    Raises:
        DatabaseError: the database can't be reached.
        ShopError: it can't be used.
    """
    with _connecting(settings) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return read(connection, CUSTOMERS), read(connection, PRODUCTS)


def read(connection: Connection, table: Table[RowT]) -> list[RowT]:
    """Read all rows of a table, by key."""
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} COLLATE {}").format(
        columns(table), name(table), sql.Identifier(table.key), sql.Identifier("C")
    )
    return [table.row(*row) for row in connection.execute(query)]


def name(table: AnyTable) -> sql.Identifier:
    """Return the table's SQL identifier."""
    return sql.Identifier(*table.name.split("."))


def columns(table: AnyTable) -> sql.Composed:
    """Return the list of the columns' SQL identifiers."""
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


@contextmanager
def _connecting(settings: Settings) -> Iterator[Connection]:
    where = shop_address(settings)
    try:
        with connecting(where, STATEMENT_SECONDS) as connection:
            yield connection
    except psycopg.Error as error:
        raise ShopError(f"the shop's database at {where.url} can't be used: {error}") from error


def _fill(connection: Connection, table: AnyTable, rows: Iterable[Row]) -> int:
    if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name(table))).fetchone():
        return 0
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name(table), columns(table))) as copy:
            for row in rows:
                copy.write_row(msgspec.structs.astuple(row))
        return cursor.rowcount
