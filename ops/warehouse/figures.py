"""Figures of the warehouse: the SQL that reads it, for `ops warehouse checks`, the demo and the tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from connectors.postgres.captured_tables import SHOP_TABLES
from connectors.postgres.client import Connection, connecting, shop_address
from connectors.settings import Settings
from ops.warehouse.database import address

READ_SECONDS = 600
"""Time limit of a statement, in seconds: whole tables are read."""

CUSTOMER_COLUMNS, PRODUCT_COLUMNS = (tuple(column.name for column in table.columns) for table in SHOP_TABLES)

Revenue = Mapping[tuple[str, str], int]
"""Revenue in minor units, by category and currency; category `unknown` for lines without a known product."""
Minutes = Mapping[tuple[int, str, str], tuple[int, int, int]]
"""Orders, pieces and minor units by the minute's first millisecond, category and currency."""


@dataclass(frozen=True)
class Dimension:
    """A table that has the columns of a table of the shop."""

    table: sql.Identifier
    columns: tuple[str, ...]
    """Columns of the shop's table, the primary key first."""
    current: LiteralString
    """Condition of the rows that the shop still has."""


CUSTOMERS = Dimension(sql.Identifier("warehouse", "dim_customer"), CUSTOMER_COLUMNS, "is_current AND NOT deleted")
PRODUCTS = Dimension(sql.Identifier("warehouse", "dim_product"), PRODUCT_COLUMNS, "NOT deleted")


@dataclass(frozen=True)
class Checksum:
    """Checksum of a table's rows: equal for the same rows in any order, and for no others."""

    rows: int
    checksum: str

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.checksum}"


@dataclass(frozen=True)
class Figures:
    """Figures of the warehouse."""

    orders: int
    incomplete_orders: int
    """Orders without a known customer, or with a line without a known product."""
    orders_without_all_lines: int
    """Orders whose lines don't add up to `lines_total_minor`."""
    revenue_minor: Revenue
    customers: Checksum
    """Checksum of the current versions of customers that the shop has not deleted."""
    products: Checksum
    """Checksum of the products that the shop has not deleted."""


@contextmanager
def snapshot_connection(settings: Settings, statement_seconds: int = READ_SECONDS) -> Iterator[Connection]:
    """Connect to the warehouse, to read it as it is at one moment.

    Raises:
        DatabaseError: it can't be reached.
    """
    with connecting(address(settings), statement_seconds) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def figures(settings: Settings) -> Figures:
    """Return the warehouse's current figures, all read at one moment.

    Raises:
        DatabaseError: it can't be reached.
    """
    with snapshot_connection(settings) as connection:
        return Figures(
            orders=_number(connection, "SELECT count(*) FROM warehouse.fact_order"),
            incomplete_orders=_number(connection, "SELECT count(*) FROM warehouse.fact_order WHERE NOT complete"),
            orders_without_all_lines=_number(
                connection,
                """
                SELECT count(*)
                FROM warehouse.fact_order
                LEFT JOIN (
                    SELECT order_id, sum(line_total_minor) AS found FROM warehouse.fact_order_line GROUP BY order_id
                ) AS lines USING (order_id)
                WHERE found IS DISTINCT FROM lines_total_minor
                """,
            ),
            revenue_minor=revenue(connection),
            customers=_checksum(connection, CUSTOMERS),
            products=_checksum(connection, PRODUCTS),
        )


def shop(settings: Settings) -> tuple[Checksum, Checksum]:
    """Return checksums of customers and products in the shop's own database, comparable with those in `Figures`.

    Raises:
        DatabaseError: it can't be reached.
    """
    with connecting(shop_address(settings), READ_SECONDS) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return (
            _checksum(connection, Dimension(sql.Identifier("shop", "customers"), CUSTOMER_COLUMNS, "true")),
            _checksum(connection, Dimension(sql.Identifier("shop", "products"), PRODUCT_COLUMNS, "true")),
        )


def orders(connection: Connection) -> dict[str, bool]:
    """Return whether each order is complete, by order id."""
    return dict(connection.execute("SELECT order_id, complete FROM warehouse.fact_order").fetchall())


def payment_ids(connection: Connection) -> frozenset[str]:
    """Return the ids of all payments."""
    return _texts(connection, "SELECT payment_id FROM warehouse.fact_payment")


def alert_ids(connection: Connection) -> frozenset[str]:
    """Return the ids of the events of all alerts."""
    return _texts(connection, "SELECT event_id FROM warehouse.fact_alert")


def newest_facts(connection: Connection) -> dict[str, int | None]:
    """Return the newest event time in each table of facts, in UTC milliseconds; each is found by an index."""
    rows = connection.execute("""
        SELECT name, round(extract(epoch FROM newest) * 1000)::bigint
        FROM (
            SELECT 'fact_order' AS name, max(event_time) AS newest FROM warehouse.fact_order
            UNION ALL SELECT 'fact_order_line', max(event_time) FROM warehouse.fact_order_line
            UNION ALL SELECT 'fact_payment', max(event_time) FROM warehouse.fact_payment
            UNION ALL SELECT 'fact_alert', max(event_time) FROM warehouse.fact_alert
            UNION ALL SELECT 'revenue_per_minute', (
                SELECT event_time FROM warehouse.revenue_per_minute ORDER BY window_start DESC LIMIT 1
            )
        ) AS tables
    """)
    return dict(rows.fetchall())


def revenue(connection: Connection) -> Revenue:
    """Return the revenue of all orders' lines."""
    rows = connection.execute("""
        SELECT coalesce(category, 'unknown'), currency, sum(line_total_minor)::bigint
        FROM warehouse.fact_order_line
        GROUP BY 1, 2
        ORDER BY 1, 2
    """)
    return {(category, currency): total for category, currency, total in rows}


def minutes(connection: Connection) -> Minutes:
    """Return the revenue per minute as it was loaded from the pipeline."""
    rows = connection.execute("""
        SELECT extract(epoch FROM window_start)::bigint * 1000, category, currency, orders, pieces, revenue_minor
        FROM warehouse.revenue_per_minute
    """)
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}


def current_rows(connection: Connection, dimension: Dimension) -> list[dict[str, Any]]:
    """Return the rows of a dimension that the shop still has: values by column of the shop's table."""
    query = sql.SQL("SELECT {columns} FROM {table} WHERE {condition}").format(**_parts(dimension))
    return [dict(zip(dimension.columns, row, strict=True)) for row in connection.execute(query)]


def _checksum(connection: Connection, dimension: Dimension) -> Checksum:
    query = sql.SQL("""
        SELECT count(*), md5(coalesce(string_agg(md5(ROW({columns})::text), '' ORDER BY {key} COLLATE "C"), ''))
        FROM {table}
        WHERE {condition}
    """).format(key=sql.Identifier(dimension.columns[0]), **_parts(dimension))
    [[rows, checksum]] = connection.execute(query)
    return Checksum(rows, checksum)


def _parts(dimension: Dimension) -> dict[str, sql.Composable]:
    return {
        "columns": sql.SQL(", ").join(map(sql.Identifier, dimension.columns)),
        "table": dimension.table,
        "condition": sql.SQL(dimension.current),
    }


def _texts(connection: Connection, query: LiteralString) -> frozenset[str]:
    return frozenset(text for (text,) in connection.execute(query))


def _number(connection: Connection, query: LiteralString) -> int:
    [[number]] = connection.execute(query)
    return int(number)
