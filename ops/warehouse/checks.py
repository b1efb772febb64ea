"""Compares the warehouse's figures with the shop's database, and returns them for comparison with ledgers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from connectors.postgres.captured_tables import SHOP_TABLES
from connectors.postgres.client import Connection, connecting, shop_address
from connectors.settings import Settings
from ops.warehouse import database as warehouse

CHECK_SECONDS = 600
"""Time limit of a statement, in seconds: whole tables are read."""

CUSTOMER_COLUMNS, PRODUCT_COLUMNS = (tuple(column.name for column in table.columns) for table in SHOP_TABLES)


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
    revenue_minor: Mapping[tuple[str, str], int]
    """Revenue by category and currency, in minor units; category `unknown` for lines without a known product."""
    customers: Checksum
    """Checksum of the current versions of customers that the shop has not deleted."""
    products: Checksum
    """Checksum of the products that the shop has not deleted."""


@dataclass(frozen=True)
class Check:
    """One comparison of two figures."""

    claim: str
    found: str
    holds: bool


def figures(settings: Settings) -> Figures:
    """Return the warehouse's current figures, all read at one moment.

    Raises:
        DatabaseError: it can't be reached.
    """
    with connecting(warehouse.address(settings), CHECK_SECONDS) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
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
            revenue_minor=_revenue(connection),
            customers=_checksum(connection, "warehouse.dim_customer", CUSTOMER_COLUMNS, "is_current AND NOT deleted"),
            products=_checksum(connection, "warehouse.dim_product", PRODUCT_COLUMNS, "NOT deleted"),
        )


def shop(settings: Settings) -> tuple[Checksum, Checksum]:
    """Return checksums of customers and products in the shop's own database, comparable with those in `Figures`.

    Raises:
        DatabaseError: it can't be reached.
    """
    with connecting(shop_address(settings), CHECK_SECONDS) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return (
            _checksum(connection, "shop.customers", CUSTOMER_COLUMNS, "true"),
            _checksum(connection, "shop.products", PRODUCT_COLUMNS, "true"),
        )


def checks(found: Figures, customers: Checksum, products: Checksum) -> Iterator[Check]:
    """Yield the comparisons that must hold once all changes have arrived.

    Args:
        found: figures of the warehouse.
        customers: checksum in the shop's database.
        products: checksum in the shop's database.
    """
    yield Check(
        "the lines of each order add up to its total",
        f"{found.orders - found.orders_without_all_lines:,} of {found.orders:,}",
        found.orders_without_all_lines == 0,
    )
    yield Check("dim_customer = shop.customers", f"{found.customers} = {customers}", found.customers == customers)
    yield Check("dim_product = shop.products", f"{found.products} = {products}", found.products == products)


def _revenue(connection: Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute("""
        SELECT coalesce(category, 'unknown'), currency, sum(line_total_minor)::bigint
        FROM warehouse.fact_order_line
        GROUP BY 1, 2
        ORDER BY 1, 2
    """)
    return {(category, currency): revenue for category, currency, revenue in rows}


def _checksum(connection: Connection, name: str, columns: tuple[str, ...], condition: LiteralString) -> Checksum:
    query = sql.SQL("""
        SELECT count(*), md5(coalesce(string_agg(md5(ROW({columns})::text), '' ORDER BY {key} COLLATE "C"), ''))
        FROM {table}
        WHERE {condition}
    """).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        key=sql.Identifier(columns[0]),
        table=sql.Identifier(*name.split(".")),
        condition=sql.SQL(condition),
    )
    [[rows, checksum]] = connection.execute(query)
    return Checksum(rows, checksum)


def _number(connection: Connection, query: LiteralString) -> int:
    [[number]] = connection.execute(query)
    return int(number)
