"""Checks the warehouse's content against the ledgers. Knows no database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from local.demo.checks.finding import Finding, some
from local.oracles.orders import Expectation
from local.oracles.revenue import ByCategory, ByMinute, by_category
from local.simulator.ledger import LedgerContent
from local.simulator.shop.rows import CustomerRow, ProductRow, checksum
from local.simulator.shop.shop_ledger import ShopLedgerContent
from ops.formats import money


@dataclass(frozen=True)
class ShopTables:
    """All customers and products of one moment."""

    customers: tuple[CustomerRow, ...]
    products: tuple[ProductRow, ...]


@dataclass(frozen=True)
class Warehouse:
    """Content of the warehouse."""

    orders: Mapping[str, bool]
    """Whether an order is complete, by order id."""
    revenue: ByCategory
    minutes: ByMinute
    """Rows loaded from the revenue pipeline."""
    shop: ShopTables
    """Current rows of the dimensions, without those that the shop has deleted."""
    payments: frozenset[str]
    """Ids of the payments."""
    alerts: frozenset[str]
    """Ids of the alerts' events."""
    rows: int
    """Number of rows in all tables together."""


def findings(
    warehouse: Warehouse, expected: Mapping[str, Expectation], sent: LedgerContent, alerts: Iterable[str]
) -> Iterator[Finding]:
    """Yield the checks of the fact tables.

    Args:
        expected: results expected for the orders.
        sent: what the services sent to Kafka.
        alerts: ids of the alerts that were seen in Kafka.
    """
    orders = {order_id: each.result.complete for order_id, each in expected.items()}
    yield _same("orders sent = orders in the warehouse", orders.keys(), warehouse.orders.keys())
    yield _same("complete orders likewise", _complete(orders), _complete(warehouse.orders))
    yield _same_money(by_category(each.result for each in expected.values()), warehouse.revenue)
    yield _same("payments sent = payments in the warehouse", sent.payment_ids, warehouse.payments)
    yield _same("alerts = alerts in the warehouse", alerts, warehouse.alerts)


def shop_findings(shop: ShopLedgerContent, tables: ShopTables, dimensions: ShopTables) -> Iterator[Finding]:
    """Yield the checks of the shop's tables, against its ledger and the warehouse's dimensions."""
    for name, ledger, table, dimension in (
        ("customers", shop.customers, tables.customers, dimensions.customers),
        ("products", shop.products, tables.products, dimensions.products),
    ):
        sums = (checksum(ledger), checksum(table), checksum(dimension))
        yield Finding(
            f"{name} by the shop's ledger = in its database = in the warehouse",
            f"{len(ledger):,}, checksum {' = '.join(sums)}",
            len(set(sums)) == 1 and not shop.in_doubt,
        )


def _complete(orders: Mapping[str, bool]) -> set[str]:
    return {order_id for order_id, complete in orders.items() if complete}


def _same(claim: str, expected: Iterable[str], found: Iterable[str]) -> Finding:
    wanted, there = set(expected), set(found)
    return Finding(claim, f"{len(wanted):,} = {len(there):,}{some(wanted ^ there)}", wanted == there)


def _same_money(expected: ByCategory, found: ByCategory) -> Finding:
    wrong = [
        f"{category}: {money(found.get((category, currency), 0), currency)}, not"
        f" {money(expected.get((category, currency), 0), currency)}"
        for category, currency in expected.keys() | found.keys()
        if expected.get((category, currency), 0) != found.get((category, currency), 0)
    ]
    return Finding("revenue by category and currency, to the penny", f"{len(expected):,} sums{some(wrong)}", not wrong)
