"""The demo's proof of each minute's revenue: it must not hold when a minute is missing, another or told twice."""

import msgspec
import pytest
from msgspec.structs import replace

from events import CategoryRevenue, DeadLetter, EnrichedOrder
from local.demo.revenue_proof import Minutes, counted, findings, said
from tests.builders import dead_letter, event_time
from tests.shop_builders import enriched, line, placed

BOOKS_AND_TOYS = enriched(placed("o1", "12:00:10", line(1), line(2), line(3, product_number=2, quantity=1)))
BOOKS = enriched(placed("o2", "12:00:50", line(1)))
NEXT_MINUTE = enriched(placed("o3", "12:01:00", line(1)))
TOO_LATE = enriched(placed("o4", "12:00:59", line(1)))
INCOMPLETE = enriched(placed("o5", "12:00:20", line(1, product_number=9)))
ORDERS = [BOOKS_AND_TOYS, BOOKS, NEXT_MINUTE, TOO_LATE, INCOMPLETE]


def minute(at: str, category: str, orders: int, pieces: int, revenue_minor: int) -> CategoryRevenue:
    start = event_time(at)
    return CategoryRevenue(
        event_id=f"{category}-EUR-{at}",
        event_time=start + 59_999,
        window_start=start,
        window_end=start + 60_000,
        category=category,
        currency="EUR",
        orders=orders,
        pieces=pieces,
        revenue_minor=revenue_minor,
    )


def letter(order: EnrichedOrder) -> DeadLetter:
    return dead_letter("enriched-orders-0-1", msgspec.json.encode(order), rejected_by="revenue_per_minute")


ROWS = [
    minute("12:00:00", "books", 2, 6, 60_00),
    minute("12:00:00", "toys", 1, 1, 10_00),
    minute("12:01:00", "books", 1, 2, 20_00),
]
LETTERS = [letter(TOO_LATE)]


def broken(
    orders: list[EnrichedOrder] = ORDERS,
    letters: list[DeadLetter] = LETTERS,
    rows: list[CategoryRevenue] = ROWS,
    loaded: Minutes | None = None,
) -> list[str]:
    found = findings(orders, letters, rows, said(rows) if loaded is None else loaded)
    return [finding.claim.split()[0] for finding in found if not finding.holds]


def test_all_claims_hold_when_each_complete_order_is_counted_in_its_minute_or_came_too_late() -> None:
    assert broken() == []


def test_an_order_with_two_lines_of_a_category_is_one_order_of_it() -> None:
    assert counted([BOOKS_AND_TOYS], []) == {
        (event_time("12:00:00"), "books", "EUR"): (1, 4, 40_00),
        (event_time("12:00:00"), "toys", "EUR"): (1, 1, 10_00),
    }


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:2],
        [*ROWS, minute("12:02:00", "books", 1, 2, 20_00)],
        [replace(ROWS[0], revenue_minor=60_01), *ROWS[1:]],
        [*ROWS, ROWS[0]],
    ],
    ids=["one is missing", "one is too much", "another sum", "one is told twice"],
)
def test_another_minute_than_the_orders_make_is_found(rows: list[CategoryRevenue]) -> None:
    assert broken(rows=rows) == ["revenue"]


def test_a_minute_that_the_warehouse_has_not_loaded_is_found() -> None:
    assert broken(loaded=said(ROWS[:2])) == ["revenue"]


def test_an_order_that_is_neither_counted_nor_a_dead_letter_is_found() -> None:
    assert broken(letters=[]) == ["revenue"]


def test_a_dead_letter_of_an_order_that_nobody_has_seen_is_found() -> None:
    assert broken(letters=[*LETTERS, letter(enriched(placed("o9")))]) == ["complete"]


def test_an_order_that_is_a_dead_letter_twice_is_found() -> None:
    assert broken(letters=LETTERS * 2) == ["complete"]
