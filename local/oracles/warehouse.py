"""Rows that the warehouse must have after some events, in whatever order they come."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from events import (
    CategoryRevenue,
    CustomerVersion,
    EnrichedOrder,
    Event,
    FraudAlert,
    Payment,
    ProductVersion,
)

COLUMNS = {
    "dim_customer": "customer_id, lsn, valid_from, valid_to, is_current, deleted, name, tier",
    "dim_product": "product_id, lsn, deleted, name, category, price_minor, stock",
    "fact_order": "order_id, revision, event_time, complete, customer_lsn, total_minor",
    "fact_order_line": "order_id, line_number, revision, product_id, product_lsn, category, quantity, line_total_minor",
    "fact_payment": "payment_id, event_id, event_time, status, amount_minor",
    "fact_alert": "event_id, event_type, case_id, score",
    "revenue_per_minute": "window_start, category, currency, revision, orders, pieces, revenue_minor",
}
"""Compared columns by table."""

Rows = set[tuple[Any, ...]]
EventT = TypeVar("EventT", bound=Event)


def expected(events: Iterable[Event]) -> dict[str, Rows]:
    """Return the rows of each table."""
    known = list(events)
    customers = _latest(known, CustomerVersion, lambda it: (it.customer_id, it.lsn), lambda it: it.lsn)
    products = _latest(known, ProductVersion, lambda it: it.product_id, lambda it: it.lsn)
    orders = _latest(known, EnrichedOrder, lambda it: it.order_id, lambda it: it.revision)
    payments = _latest(known, Payment, lambda it: it.payment_id, lambda it: (it.event_time, it.event_id))
    alerts = _latest(known, FraudAlert, lambda it: it.event_id, lambda it: it.event_time)
    minutes = _latest(
        known, CategoryRevenue, lambda it: (it.window_start, it.category, it.currency), lambda it: it.revision
    )
    return {
        "dim_customer": _history(customers),
        "dim_product": {
            (it.product_id, it.lsn, it.deleted, it.name, it.category, it.price_minor, it.stock) for it in products
        },
        "fact_order": {
            (it.order_id, it.revision, moment(it.event_time), it.complete, it.customer_lsn, it.total_minor)
            for it in orders
        },
        "fact_order_line": {
            (
                it.order_id,
                line.line_number,
                it.revision,
                line.product_id,
                line.product_lsn,
                line.category,
                line.quantity,
                line.line_total_minor,
            )
            for it in orders
            for line in it.lines
        },
        "fact_payment": {
            (it.payment_id, it.event_id, moment(it.event_time), it.status, it.amount_minor) for it in payments
        },
        "fact_alert": {(it.event_id, it.event_type, it.case_id, it.score) for it in alerts},
        "revenue_per_minute": {
            (moment(it.window_start), it.category, it.currency, it.revision, it.orders, it.pieces, it.revenue_minor)
            for it in minutes
        },
    }


def _history(versions: Iterable[CustomerVersion]) -> Rows:
    """Return the rows of a dimension of type 2: each version of a customer ends when any later one begins."""
    known = list(versions)
    rows = set()
    for it in known:
        later = [other.event_time for other in known if other.customer_id == it.customer_id and other.lsn > it.lsn]
        ends = moment(max(min(later), it.event_time)) if later else None
        rows.add(
            (it.customer_id, it.lsn, moment(it.event_time), ends, ends is None, it.deleted, it.name, it.tier),
        )
    return rows


def moment(milliseconds: int) -> datetime:
    """Return the time in UTC."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


def _latest(
    events: Iterable[Event], kind: type[EventT], key: Callable[[EventT], object], version: Callable[[EventT], Any]
) -> list[EventT]:
    newest: dict[object, EventT] = {}
    for event in events:
        if isinstance(event, kind):
            known = newest.get(key(event))
            if known is None or version(event) > version(known):
                newest[key(event)] = event
    return list(newest.values())
