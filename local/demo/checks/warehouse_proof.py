"""Does the warehouse agree with what was sent? Holds what is in it against the ledgers; knows no database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from local.demo.checks.order_proof import Expectation, Revenue, revenue, some
from local.demo.checks.proof import Finding
from local.demo.checks.revenue_proof import Minutes
from local.simulator.ledger import LedgerContent
from local.simulator.shop.rows import CustomerRow, ProductRow, checksum
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.world.places import in_words


@dataclass(frozen=True)
class ShopTables:
    """All customers and products of one moment."""

    customers: tuple[CustomerRow, ...]
    products: tuple[ProductRow, ...]


@dataclass(frozen=True)
class Warehouse:
    """What is in the warehouse."""

    orders: Mapping[str, bool]
    """Whether it is complete, by order id."""
    revenue: Revenue
    """What the lines of the complete orders sum up to."""
    minutes: Minutes
    """What was loaded of the revenue pipeline."""
    shop: ShopTables
    """The dimensions' current rows, without those that the shop has deleted."""
    payments: frozenset[str]
    """Ids."""
    alerts: frozenset[str]
    """Ids of the events."""
    rows: int
    """In all tables together."""


def findings(
    warehouse: Warehouse, expected: Mapping[str, Expectation], sent: LedgerContent, alerts: Iterable[str]
) -> Iterator[Finding]:
    """What must be so of the facts.

    Args:
        expected: what must come of the orders.
        sent: to Kafka.
        alerts: ids of the alerts that were seen there.
    """
    orders = {order_id: each.result.complete for order_id, each in expected.items()}
    yield _same("orders sent = orders in the warehouse", orders.keys(), warehouse.orders.keys())
    yield _same("complete orders likewise", _complete(orders), _complete(warehouse.orders))
    yield _same_money(revenue(each.result for each in expected.values()), warehouse.revenue)
    yield _same("payments sent = payments in the warehouse", sent.payment_ids, warehouse.payments)
    yield _same("alerts = alerts in the warehouse", alerts, warehouse.alerts)


def shop_findings(shop: ShopLedgerContent, tables: ShopTables, dimensions: ShopTables) -> Iterator[Finding]:
    """What must be so of the shop's tables: they are what its ledger says, and the warehouse's dimensions are them."""
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


def _same_money(expected: Revenue, found: Revenue) -> Finding:
    wrong = [
        f"{category}: {in_words(found.get((category, currency), 0), currency)}, not"
        f" {in_words(expected.get((category, currency), 0), currency)}"
        for category, currency in expected.keys() | found.keys()
        if expected.get((category, currency), 0) != found.get((category, currency), 0)
    ]
    return Finding("revenue by category and currency, to the penny", f"{len(expected):,} sums{some(wrong)}", not wrong)
