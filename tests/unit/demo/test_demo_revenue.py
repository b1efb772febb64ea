"""The demo's check of each minute's revenue: it fails when a minute is missing or another one."""

from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from events import CategoryRevenue, DeadLetter, EnrichedOrder
from local.demo.checks.revenue import findings
from local.oracles.revenue import ByMinute, last_of
from tests.builders.events import dead_letter, event_time
from tests.builders.shop import enriched, line, placed

BOOKS_AND_TOYS = enriched(placed("o1", "12:00:10", line(1), line(2), line(3, product_number=2, quantity=1)))
BOOKS = enriched(placed("o2", "12:00:50", line(1)))
NEXT_MINUTE = enriched(placed("o3", "12:01:00", line(1)))
TAKEN_BACK = [
    enriched(placed("o4", "12:00:59", line(1))),
    replace(enriched(placed("o4", "12:00:59", line(1, product_number=9))), revision=2),
]
INCOMPLETE = enriched(placed("o5", "12:00:20", line(1, product_number=9)))
ORDERS = [BOOKS_AND_TOYS, BOOKS, NEXT_MINUTE, *TAKEN_BACK, INCOMPLETE]


def minute(at: str, category: str, orders: int, pieces: int, revenue_minor: int) -> CategoryRevenue:
    start = event_time(at)
    return CategoryRevenue(
        event_id=f"{category}-EUR-{at}",
        event_time=start + 59_999,
        window_start=start,
        window_end=start + 60_000,
        category=category,
        currency="EUR",
        revision=1,
        orders=orders,
        pieces=pieces,
        revenue_minor=revenue_minor,
    )


def letter(order: EnrichedOrder) -> DeadLetter:
    return dead_letter("enriched-orders-0-1", msgspec.json.encode(order), rejected_by="revenue_per_minute")


ROWS = [
    replace(minute("12:00:00", "books", 2, 6, 60_00), revision=4),
    replace(minute("12:00:00", "books", 3, 8, 80_00), revision=3),
    replace(minute("12:00:00", "games", 0, 0, 0), revision=2),
    minute("12:00:00", "toys", 1, 1, 10_00),
    minute("12:01:00", "books", 1, 2, 20_00),
]


def broken(
    orders: list[EnrichedOrder] = ORDERS,
    letters: Sequence[DeadLetter] = (),
    rows: Sequence[CategoryRevenue] = ROWS,
    loaded: ByMinute | None = None,
) -> list[str]:
    found = findings(orders, letters, rows, last_of(rows) if loaded is None else loaded)
    return [finding.claim.split()[0] for finding in found if not finding.holds]


def test_all_checks_hold_if_complete_orders_count_in_their_minutes() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:-1],
        [*ROWS, minute("12:02:00", "books", 1, 2, 20_00)],
        [replace(ROWS[0], revenue_minor=60_01), *ROWS[1:]],
        ROWS[1:],
    ],
    ids=["one is missing", "one is too much", "another sum", "the last revision is missing"],
)
def test_minute_that_differs_from_its_orders_is_found(rows: list[CategoryRevenue]) -> None:
    assert broken(rows=rows) == ["revenue"]


def test_minute_missing_in_the_warehouse_is_found() -> None:
    assert broken(loaded=last_of(ROWS[:-1])) == ["revenue"]


def test_order_late_for_its_minute_is_found() -> None:
    assert broken(letters=[letter(BOOKS)]) == ["no"]
