"""Rows of the simulated shop, its changes and its orders, by intent, with their ledgers."""

from events import EnrichedOrder, Order, OrderLine
from local.oracles.orders import expectations
from local.simulator.ledger import LedgerContent, LedgerRecord
from local.simulator.shop.rows import CustomerRow, ProductRow, Row
from local.simulator.shop.shop_ledger import Outcome, ShopLedgerContent, TransactionRecord
from local.simulator.shop.state import Statement
from tests.builders.events import event_time, order


def customer(number: int, tier: str = "standard") -> CustomerRow:
    return CustomerRow(f"customer-{number}", "Ada", "ada@mail.example", None, tier, "DE", "de", "Europe/Berlin", False)


def product(number: int, category: str = "books") -> ProductRow:
    return ProductRow(f"product-{number}", "Atlas", category, 10_00, "EUR", 5)


def record(
    number: int, *statements: Statement, outcome: Outcome = "committed", at: int | None = None
) -> TransactionRecord:
    """Build a transaction that was committed at `at`."""
    return TransactionRecord(
        number=number,
        kind="sold",
        statements=statements,
        outcome=outcome,
        began_at=number,
        ended_at=number + 1,
        committed_at=at,
    )


KNOWN: tuple[Row, ...] = (customer(1), product(1), product(2, "toys"))
"""The shop's first rows, unless a case names others."""


def line(number: int, product_number: int = 1, quantity: int = 2) -> OrderLine:
    """Build a line at 10 euros apiece."""
    product_id = f"product-{product_number}"
    return OrderLine(line_number=number, product_id=product_id, quantity=quantity, unit_price_minor=10_00)


def placed(order_id: str = "o1", at: str = "12:00:00", *lines: OrderLine, buyer: int = 1) -> Order:
    """Build an order of two pieces of product 1, unless lines are given."""
    return order(order_id, at, customer_id=f"customer-{buyer}", lines=lines or (line(1),))


def sent(*orders: Order) -> LedgerContent:
    """Build the ledger of orders that are all in Kafka."""
    records = (
        LedgerRecord(
            topic="orders",
            partition=0,
            offset=offset,
            key=each.order_id,
            event_id=each.event_id,
            payment_id=None,
            order_id=each.order_id,
            event_time=each.event_time,
            kind="good",
            pattern=None,
            incident_id=None,
            sent_at=each.event_time,
            error=None,
            order=each,
        )
        for offset, each in enumerate(orders)
    )
    return LedgerContent(tuple(records), None)


def shop(*changes: tuple[str, Statement]) -> ShopLedgerContent:
    """Build the shop's ledger: its first rows, and statements by the time of their commit."""
    transactions = (record(number, each, at=event_time(at)) for number, (at, each) in enumerate(changes, start=1))
    return ShopLedgerContent(KNOWN, tuple(transactions), None)


def enriched(each: Order, content: ShopLedgerContent | None = None) -> EnrichedOrder:
    """Return the expected last revision of one order, by the shop's ledger."""
    return expectations(sent(each), content or shop(), within_hours=24)[each.order_id].result
