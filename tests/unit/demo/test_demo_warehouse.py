"""The demo's check of the warehouse on small ledgers: it fails when a row is missing, too much or another."""

from dataclasses import replace

import pytest
from msgspec import structs

from local.demo.checks.warehouse import ShopTables, Warehouse, findings, shop_findings
from local.oracles.orders import expectations
from local.oracles.revenue import by_category
from local.simulator.ledger import LedgerContent
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.shop.state import Statement
from tests.builders.events import event_time
from tests.builders.shop import KNOWN, customer, line, placed, product, record, sent, shop

ORDERS = sent(placed("o1", "12:00:00", line(1), line(2, product_number=2)), placed("o2", buyer=9))
PAYMENT = structs.replace(ORDERS.records[0], topic="payments", payment_id="p1", order=None)
LEDGER = LedgerContent((*ORDERS.records, PAYMENT), None)
EXPECTED = expectations(ORDERS, shop(), within_hours=24)
TABLES = ShopTables((customer(1),), (product(1), product(2, "toys")))

RIGHT = Warehouse(
    orders={"o1": True, "o2": False},
    revenue={("books", "EUR"): 40_00, ("toys", "EUR"): 20_00},
    shop=TABLES,
    payments=frozenset({"p1"}),
    alerts=frozenset({"a1"}),
    minutes={},
    rows=0,
)


def broken(warehouse: Warehouse) -> dict[str, str]:
    return {each.claim: each.found for each in findings(warehouse, EXPECTED, LEDGER, ["a1"]) if not each.holds}


def broken_of_shop(content: ShopLedgerContent, tables: ShopTables, dimensions: ShopTables) -> list[str]:
    return [finding.claim.split()[0] for finding in shop_findings(content, tables, dimensions) if not finding.holds]


def test_all_checks_hold_if_the_warehouse_has_every_row_once() -> None:
    assert by_category(each.result for each in EXPECTED.values()) == RIGHT.revenue
    assert broken(RIGHT) == {}


@pytest.mark.parametrize(
    ("wrong", "claim", "found"),
    [
        (
            replace(RIGHT, orders={"o1": True}),
            "orders sent = orders in the warehouse",
            "2 = 1; 1 wrong, such as o2",
        ),
        (
            replace(RIGHT, orders={"o1": False, "o2": False}),
            "complete orders likewise",
            "1 = 0; 1 wrong, such as o1",
        ),
        (
            replace(RIGHT, revenue={("books", "EUR"): 40_01, ("toys", "EUR"): 20_00}),
            "revenue by category and currency, to the penny",
            "2 sums; 1 wrong, such as books: 40.01 EUR, not 40.00 EUR",
        ),
        (
            replace(RIGHT, revenue={**RIGHT.revenue, ("books", "JPY"): 1200}),
            "revenue by category and currency, to the penny",
            "2 sums; 1 wrong, such as books: 1,200 JPY, not 0 JPY",
        ),
        (
            replace(RIGHT, payments=frozenset()),
            "payments sent = payments in the warehouse",
            "1 = 0; 1 wrong, such as p1",
        ),
        (
            replace(RIGHT, alerts=frozenset({"a1", "a2"})),
            "alerts = alerts in the warehouse",
            "1 = 2; 1 wrong, such as a2",
        ),
    ],
)
def test_difference_is_found_and_described(wrong: Warehouse, claim: str, found: str) -> None:
    assert broken(wrong) == {claim: found}


def test_shop_tables_agree_if_ledger_database_and_warehouse_agree() -> None:
    assert broken_of_shop(shop(), TABLES, TABLES) == []


def test_outdated_customer_in_the_warehouse_is_found() -> None:
    promoted = shop(("12:00:00", Statement("u", (customer(1, "gold"),))))
    now = replace(TABLES, customers=(customer(1, "gold"),))

    assert broken_of_shop(promoted, now, now) == []
    assert broken_of_shop(promoted, now, TABLES) == ["customers"]


def test_product_missing_in_the_shop_database_is_found() -> None:
    assert broken_of_shop(shop(), replace(TABLES, products=(product(1),)), TABLES) == ["products"]


def test_transaction_in_doubt_is_found() -> None:
    unknown = record(1, Statement("u", (customer(1, "gold"),)), outcome="unknown", at=event_time("12:00:00"))
    doubtful = ShopLedgerContent(KNOWN, (unknown,), None)

    assert broken_of_shop(doubtful, TABLES, TABLES) == ["customers", "products"]
