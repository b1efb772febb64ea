"""Money as people read it."""

import pytest

from events.currencies import decimals
from ops.search.find import ORDERS


def test_minor_units_are_those_of_iso_4217() -> None:
    assert [decimals(currency) for currency in ("EUR", "HUF", "JPY", "KWD", "CLF", "XXX")] == [2, 2, 0, 3, 4, 2]


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (123_456, "EUR", "1,234.56 EUR"),
        (123_456, "JPY", "123,456 JPY"),
        (123_456, "KWD", "123.456 KWD"),
        (-5, "EUR", "-0.05 EUR"),
        (9_007_199_254_740_993, "EUR", "90,071,992,547,409.93 EUR"),
    ],
)
def test_found_orders_show_money_in_the_units_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert ORDERS.columns["total"]({"total_minor": minor, "currency": currency}) == shown
