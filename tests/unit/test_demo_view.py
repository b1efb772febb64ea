"""What the demo shows of an order fits a line, and says what isn't known."""

from msgspec.structs import replace

from local.demo.observer import Observed
from local.demo.view import figures, order_line
from tests.shop_builders import enriched, line, placed


def test_an_order_is_shown_with_its_customer_and_products() -> None:
    shown = order_line(enriched(placed("o1", "12:00:00", line(1), line(2, product_number=2, quantity=1))))

    assert shown.split("  ")[0] == "12:00:00"
    assert "ordered" in shown
    assert "Ada (standard)" in shown
    assert "30.00 EUR" in shown
    assert shown.endswith("2 Atlas, 1 Atlas")


def test_what_is_not_known_is_shown_by_its_id() -> None:
    shown = order_line(enriched(placed("o1", "12:00:00", line(1, product_number=9), buyer=7)))

    assert "? customer-7" in shown
    assert shown.endswith("2 ? product-9")


def test_a_second_revision_is_a_correction_and_many_lines_are_counted() -> None:
    order = enriched(placed("o1", "12:00:00", *(line(number) for number in range(1, 6))))

    shown = order_line(replace(order, revision=2))

    assert "corrected" in shown
    assert shown.endswith("2 Atlas, 2 Atlas, 3 more")


def test_money_without_a_minor_unit_has_no_decimals() -> None:
    order = replace(enriched(placed()), currency="JPY", total_minor=1_200)

    assert "1,200 JPY" in order_line(order)


def test_an_order_counts_as_incomplete_until_a_complete_revision_comes() -> None:
    first = enriched(placed("o1", buyer=9))
    second = replace(enriched(placed("o1")), event_id="o1-2", revision=2)

    counts = [
        figures(Observed(enriched=seen), accepted=0, payments_before=0, payments_a_second=0, seconds_left=1)
        for seen in ([first, enriched(placed("o2"))], [first, second, enriched(placed("o2"))])
    ]

    assert [(each.enriched, each.incomplete) for each in counts] == [(2, 1), (2, 0)]
