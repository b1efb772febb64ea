"""Reads the current content of the shop's database and of the warehouse."""

from connectors.settings import Settings
from local.demo.checks.warehouse import ShopTables, Warehouse
from local.simulator.shop.database import read_all
from local.simulator.shop.rows import CustomerRow, ProductRow
from ops.warehouse import database as warehouse
from ops.warehouse import figures

STATEMENT_SECONDS = 30


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
    with figures.snapshot_connection(settings, STATEMENT_SECONDS) as connection:
        return Warehouse(
            orders=figures.orders(connection),
            revenue=figures.revenue(connection),
            minutes=figures.minutes(connection),
            shop=ShopTables(
                customers=tuple(CustomerRow(**row) for row in figures.current_rows(connection, figures.CUSTOMERS)),
                products=tuple(ProductRow(**row) for row in figures.current_rows(connection, figures.PRODUCTS)),
            ),
            payments=figures.payment_ids(connection),
            alerts=figures.alert_ids(connection),
            rows=sum(table.rows for table in warehouse.tables(connection)),
        )
