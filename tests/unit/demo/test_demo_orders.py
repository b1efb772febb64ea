"""The demo's proof of enriched orders on small ledgers: it must not hold when one of them is not as it must be."""

from msgspec.structs import replace

from events import EnrichedOrder, Order
from local.demo.checks.orders import Expectation, expectations, findings, revenue
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.shop.state import Statement
from tests.builders.events import event_time
from tests.builders.shop import KNOWN, customer, enriched, line, placed, product, record, sent, shop

NOON = event_time("12:00:00")


def expected(content: ShopLedgerContent, *orders: Order) -> dict[str, Expectation]:
    return expectations(sent(*orders), content, within_hours=24)


def result(content: ShopLedgerContent, each: Order) -> EnrichedOrder:
    return enriched(each, content)


def second(result: EnrichedOrder) -> EnrichedOrder:
    """The row as it follows an incomplete one."""
    return replace(result, event_id=f"{result.order_id}-2", revision=2)


def as_at_first(content: ShopLedgerContent, each: Order) -> EnrichedOrder:
    """The row that goes out at once."""
    return expectations(sent(each), content, within_hours=0)[each.order_id].result


def broken(expectation: dict[str, Expectation], *rows: EnrichedOrder) -> dict[str, str]:
    return {finding.claim: finding.found for finding in findings(expectation, rows) if not finding.holds}


def test_an_order_has_what_was_known_at_its_time_also_in_the_millisecond_of_a_change() -> None:
    changing = shop(
        ("12:00:00", Statement("u", (customer(1, "gold"),))), ("12:00:01", Statement("u", (product(1, "garden"),)))
    )

    before, at, after = (result(changing, placed(at=at)) for at in ("11:59:59.999", "12:00:00", "12:00:01"))

    assert [each.customer_tier for each in (before, at, after)] == ["standard", "gold", "gold"]
    assert [each.lines[0].category for each in (before, at, after)] == ["books", "books", "garden"]
    assert all(each.complete for each in (before, at, after))


def test_of_two_changes_in_one_transaction_the_last_holds() -> None:
    twice = record(
        1, Statement("u", (product(1, "toys"),)), Statement("u", (product(1, "garden"),)), at=event_time("11:00:00")
    )

    found = result(ShopLedgerContent(KNOWN, (twice,), None), placed())

    assert found.lines[0].category == "garden"


def test_an_order_s_totals_are_those_of_its_lines() -> None:
    found = result(shop(), placed("o1", "12:00:00", line(1, quantity=2), line(2, product_number=2, quantity=3)))

    assert [each.line_total_minor for each in found.lines] == [20_00, 30_00]
    assert (found.lines_total_minor, found.total_minor, found.totals_agree) == (50_00, 50_00, True)


def test_what_is_entered_later_completes_an_order() -> None:
    entering = shop(("12:00:05", Statement("c", (customer(2),))), ("12:00:09", Statement("u", (customer(2, "gold"),))))

    each = expected(entering, placed(buyer=2))["o1"]

    assert each.unknown_at_first == ("customer:customer-2",)
    assert (each.result.complete, each.result.customer_tier) == (True, "standard")


def test_what_is_entered_too_late_or_never_leaves_an_order_as_it_was() -> None:
    a_day_later = shop(("2026-03-02T12:00:00.001Z", Statement("c", (customer(2),))))
    half = shop(("12:00:05", Statement("c", (customer(2),))))

    never, too_late = result(shop(), placed(buyer=2)), result(a_day_later, placed(buyer=2))
    one_of_two = result(half, placed("o1", "12:00:00", line(1, product_number=9), buyer=2))

    assert (never.missing, too_late.missing) == (("customer:customer-2",), ("customer:customer-2",))
    assert one_of_two.missing == ("customer:customer-2", "product:product-9")
    assert (one_of_two.customer_name, one_of_two.lines[0].name) == (None, None)


def test_what_was_deleted_is_not_known_until_it_is_back() -> None:
    gone = ("11:00:00", Statement("d", (product(1),)))
    back = ("13:00:00", Statement("c", (product(1, "garden"),)))

    forever, for_a_while = expected(shop(gone), placed())["o1"], expected(shop(gone, back), placed())["o1"]

    assert (forever.unknown_at_first, forever.result.complete) == (("product:product-1",), False)
    assert (for_a_while.unknown_at_first, for_a_while.result.complete) == (("product:product-1",), True)
    assert for_a_while.result.lines[0].category == "garden"


def test_of_an_order_that_was_sent_twice_the_first_counts() -> None:
    again = replace(placed(at="12:00:03"), event_id="again")

    assert expected(shop(), placed(), again)["o1"].result.event_time == NOON


def test_all_claims_hold_when_every_row_is_as_it_must_be() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    usual, early, never = placed("o1"), placed("o2", buyer=2), placed("o3", buyer=3)
    rows = (
        result(content, usual),
        as_at_first(content, early),
        second(result(content, early)),
        as_at_first(content, never),
    )

    assert broken(expected(content, usual, early, never), *rows) == {}


def test_positions_in_the_log_are_not_compared() -> None:
    found = result(shop(), placed())
    with_positions = replace(found, customer_lsn=5, lines=(replace(found.lines[0], product_lsn=6),))

    assert broken(expected(shop(), placed()), with_positions) == {}


def test_an_order_that_never_came_out_is_found() -> None:
    wanted = expected(shop(), placed("o1"), placed("o2"))

    assert broken(wanted, result(shop(), placed("o1"))) == {
        "orders sent = orders enriched": "2 = 1; 1 wrong, such as o2"
    }


def test_an_order_that_nobody_placed_is_found() -> None:
    assert broken({}, result(shop(), placed())) == {"orders sent = orders enriched": "0 = 1; 1 wrong, such as o1"}


def test_a_row_that_is_there_twice_is_found() -> None:
    row = result(shop(), placed())

    assert broken(expected(shop(), placed()), row, row) == {
        "each revision is there once, and says otherwise than the one before": "2 rows; 2 wrong, such as o1"
    }


def test_a_revision_that_says_what_the_one_before_said_is_found() -> None:
    row = result(shop(), placed())

    assert list(broken(expected(shop(), placed()), row, second(row))) == [
        "each revision is there once, and says otherwise than the one before"
    ]


def test_another_version_than_that_of_the_order_s_time_is_found_and_said() -> None:
    cheaper = replace(product(1), price_minor=9_00)
    changing = shop(("11:00:00", Statement("u", (cheaper,))))

    found = broken(expected(changing, placed()), result(shop(), placed()))

    assert found == {
        "names, tiers, categories and prices are those of the order's time": "0 of 1; 1 wrong, such as "
        "o1: line 1 list_price_minor is 1000, not 900"
    }


def test_an_order_that_stays_incomplete_though_all_is_known_by_now_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)

    assert list(broken(expected(content, early), as_at_first(content, early))) == [
        "names, tiers, categories and prices are those of the order's time"
    ]


def test_an_early_order_that_waited_instead_of_going_out_at_once_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)

    assert broken(expected(content, early), result(content, early)) == {
        "orders of what the shop didn't know yet went out at once": "0 of 1, 1 of them are complete by now; "
        "1 wrong, such as o1"
    }


def test_an_early_order_that_names_something_else_as_missing_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)
    first = replace(as_at_first(content, early), missing=("customer:customer-3",))

    assert list(broken(expected(content, early), first, second(result(content, early)))) == [
        "orders of what the shop didn't know yet went out at once"
    ]


def test_revenue_is_by_category_and_currency_and_of_complete_orders_only() -> None:
    complete = placed("o1", "12:00:00", line(1), line(2, product_number=2), line(3, quantity=1))
    in_francs = replace(complete, order_id="o2", currency="CHF")
    incomplete = placed("o3", buyer=9)

    sums = revenue(result(shop(), each) for each in (complete, in_francs, incomplete))

    assert sums == {
        ("books", "EUR"): 30_00,
        ("toys", "EUR"): 20_00,
        ("books", "CHF"): 30_00,
        ("toys", "CHF"): 20_00,
    }


def test_corrections_of_provisional_orders_are_counted() -> None:
    changed = result(shop(("12:00:00", Statement("u", (product(1, "garden"),)))), placed("o1"))
    provisional = replace(result(shop(), placed("o1")), provisional=True)
    right = replace(result(shop(), placed("o2")), provisional=True)

    found = [each.found for each in findings({}, [provisional, second(changed), right])]

    assert "3 rows, 2 orders provisional, 1 of them corrected" in found
