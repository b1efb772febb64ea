"""The oracle of revenue, on a few orders."""

from msgspec.structs import replace

from local.oracles.revenue import by_category, by_minute
from tests.builders.events import event_time
from tests.builders.shop import enriched, line, placed


def test_revenue_by_category_counts_all_lines_unknown_products_too() -> None:
    usual = placed("o1", "12:00:00", line(1), line(2, product_number=2), line(3, quantity=1))
    in_francs = replace(usual, order_id="o2", currency="CHF")
    incomplete = placed("o3", "12:00:00", line(1), line(2, product_number=9, quantity=4))

    sums = by_category(enriched(each) for each in (usual, in_francs, incomplete))

    assert sums == {
        ("books", "EUR"): 50_00,
        ("toys", "EUR"): 20_00,
        ("books", "CHF"): 30_00,
        ("toys", "CHF"): 20_00,
        ("unknown", "EUR"): 40_00,
    }


def test_revenue_by_minute_counts_an_order_once_per_category() -> None:
    books_and_toys = placed("o1", "12:00:10", line(1), line(2), line(3, product_number=2, quantity=1))

    assert by_minute([enriched(books_and_toys)]) == {
        (event_time("12:00:00"), "books", "EUR"): (1, 4, 40_00),
        (event_time("12:00:00"), "toys", "EUR"): (1, 1, 10_00),
    }


def test_revenue_by_minute_leaves_out_incomplete_orders() -> None:
    assert by_minute([enriched(placed("o1", "12:00:10", line(1, product_number=9)))]) == {}
