"""The oracle of orders, on small ledgers."""

from msgspec.structs import replace

from events import EnrichedOrder, Order
from local.oracles.orders import Expectation, expectations
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.shop.state import Statement
from tests.builders.events import event_time
from tests.builders.shop import KNOWN, customer, enriched, line, placed, product, record, sent, shop

NOON = event_time("12:00:00")


def expected(content: ShopLedgerContent, *orders: Order) -> dict[str, Expectation]:
    return expectations(sent(*orders), content, within_hours=24)


def result(content: ShopLedgerContent, each: Order) -> EnrichedOrder:
    return enriched(each, content)


def test_order_at_the_millisecond_of_a_change_has_the_new_version() -> None:
    changing = shop(
        ("12:00:00", Statement("u", (customer(1, "gold"),))), ("12:00:01", Statement("u", (product(1, "garden"),)))
    )

    before, at, after = (result(changing, placed(at=at)) for at in ("11:59:59.999", "12:00:00", "12:00:01"))

    assert [each.customer_tier for each in (before, at, after)] == ["standard", "gold", "gold"]
    assert [each.lines[0].category for each in (before, at, after)] == ["books", "books", "garden"]
    assert all(each.complete for each in (before, at, after))


def test_two_changes_in_one_transaction_leave_the_last_one() -> None:
    twice = record(
        1, Statement("u", (product(1, "toys"),)), Statement("u", (product(1, "garden"),)), at=event_time("11:00:00")
    )

    found = result(ShopLedgerContent(KNOWN, (twice,), None), placed())

    assert found.lines[0].category == "garden"


def test_order_totals_are_the_sums_of_its_lines() -> None:
    found = result(shop(), placed("o1", "12:00:00", line(1, quantity=2), line(2, product_number=2, quantity=3)))

    assert [each.line_total_minor for each in found.lines] == [20_00, 30_00]
    assert (found.lines_total_minor, found.total_minor, found.totals_agree) == (50_00, 50_00, True)


def test_row_entered_later_completes_the_order() -> None:
    entering = shop(("12:00:05", Statement("c", (customer(2),))), ("12:00:09", Statement("u", (customer(2, "gold"),))))

    each = expected(entering, placed(buyer=2))["o1"]

    assert each.unknown_at_first == ("customer:customer-2",)
    assert (each.result.complete, each.result.customer_tier) == (True, "standard")


def test_row_entered_too_late_or_never_leaves_the_order_incomplete() -> None:
    a_day_later = shop(("2026-03-02T12:00:00.001Z", Statement("c", (customer(2),))))
    half = shop(("12:00:05", Statement("c", (customer(2),))))

    never, too_late = result(shop(), placed(buyer=2)), result(a_day_later, placed(buyer=2))
    one_of_two = result(half, placed("o1", "12:00:00", line(1, product_number=9), buyer=2))

    assert (never.missing, too_late.missing) == (("customer:customer-2",), ("customer:customer-2",))
    assert one_of_two.missing == ("customer:customer-2", "product:product-9")
    assert (one_of_two.customer_name, one_of_two.lines[0].name) == (None, None)


def test_deleted_row_is_missing_until_it_is_entered_again() -> None:
    gone = ("11:00:00", Statement("d", (product(1),)))
    back = ("13:00:00", Statement("c", (product(1, "garden"),)))

    forever, for_a_while = expected(shop(gone), placed())["o1"], expected(shop(gone, back), placed())["o1"]

    assert (forever.unknown_at_first, forever.result.complete) == (("product:product-1",), False)
    assert (for_a_while.unknown_at_first, for_a_while.result.complete) == (("product:product-1",), True)
    assert for_a_while.result.lines[0].category == "garden"


def test_order_sent_twice_counts_as_first_sent() -> None:
    again = replace(placed(at="12:00:03"), event_id="again")

    assert expected(shop(), placed(), again)["o1"].result.event_time == NOON
