"""Reads the current content of the shop's database and of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from connectors.postgres.client import Connection, connecting
from connectors.settings import Settings
from local.demo.checks.warehouse_proof import ShopTables, Warehouse
from local.simulator.shop.database import columns, read_all
from local.simulator.shop.rows import CUSTOMERS, PRODUCTS, RowT, Table
from ops.warehouse.database import address

STATEMENT_SECONDS = 30

ORDERS = "SELECT order_id, complete FROM warehouse.fact_order"
REVENUE = """
SELECT line.category, line.currency, sum(line.line_total_minor)::bigint
FROM warehouse.fact_order_line AS line
JOIN warehouse.fact_order AS placed USING (order_id)
WHERE placed.complete
GROUP BY line.category, line.currency
"""
MINUTES = """
SELECT extract(epoch FROM window_start)::bigint * 1000, category, currency, orders, pieces, revenue_minor
FROM warehouse.revenue_per_minute
"""
ROWS = """
SELECT
    (SELECT count(*) FROM warehouse.dim_customer) + (SELECT count(*) FROM warehouse.dim_product)
    + (SELECT count(*) FROM warehouse.fact_order) + (SELECT count(*) FROM warehouse.fact_order_line)
    + (SELECT count(*) FROM warehouse.fact_payment) + (SELECT count(*) FROM warehouse.fact_alert)
    + (SELECT count(*) FROM warehouse.revenue_per_minute)
"""
PAYMENTS = "SELECT payment_id FROM warehouse.fact_payment"
ALERTS = "SELECT event_id FROM warehouse.fact_alert"


def read_shop(settings: Settings) -> ShopTables:
    """Read the shop's tables.

    Raises:
        DatabaseError, ShopError: they can't be read.
    """
    customers, products = read_all(settings)
    return ShopTables(tuple(customers), tuple(products))


def read_warehouse(settings: Settings) -> Warehouse:
    """Read what the checks need of the warehouse, as it was at one moment.

    Raises:
        DatabaseError: it can't be reached.
    """
    with _one_moment(settings) as connection:
        return Warehouse(
            orders=dict(connection.execute(ORDERS).fetchall()),
            revenue={(category, currency): total for category, currency, total in connection.execute(REVENUE)},
            minutes={(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in connection.execute(MINUTES)},
            shop=ShopTables(
                customers=_current(connection, CUSTOMERS, "dim_customer", "is_current AND NOT deleted"),
                products=_current(connection, PRODUCTS, "dim_product", "NOT deleted"),
            ),
            payments=frozenset(payment_id for (payment_id,) in connection.execute(PAYMENTS)),
            alerts=frozenset(event_id for (event_id,) in connection.execute(ALERTS)),
            rows=connection.execute(ROWS).fetchall()[0][0],
        )


@contextmanager
def _one_moment(settings: Settings) -> Iterator[Connection]:
    with connecting(address(settings), STATEMENT_SECONDS) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _current(connection: Connection, table: Table[RowT], dimension: str, condition: str) -> tuple[RowT, ...]:
    """Read the rows of a dimension as rows of the shop's table, whose columns it also has."""
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        columns(table), sql.Identifier("warehouse", dimension), sql.SQL(condition)
    )
    return tuple(table.row(*row) for row in connection.execute(query))
