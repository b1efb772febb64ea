"""The demo's check of enriched orders on small ledgers: it fails when one of them is not as it must be."""

from msgspec.structs import replace

from events import EnrichedOrder, Order
from local.demo.checks.orders import findings
from local.oracles.orders import Expectation, expectations
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.shop.state import Statement
from tests.builders.events import event_time
from tests.builders.shop import customer, enriched, placed, product, sent, shop

NOON = event_time("12:00:00")


def expected(content: ShopLedgerContent, *orders: Order) -> dict[str, Expectation]:
    return expectations(sent(*orders), content, within_hours=24)


def result(content: ShopLedgerContent, each: Order) -> EnrichedOrder:
    return enriched(each, content)


def second(result: EnrichedOrder) -> EnrichedOrder:
    """Return the row as a second revision, which follows an incomplete one."""
    return replace(result, event_id=f"{result.order_id}-2", revision=2)


def as_at_first(content: ShopLedgerContent, each: Order) -> EnrichedOrder:
    """Return the row that is emitted at once."""
    return expectations(sent(each), content, within_hours=0)[each.order_id].result


def broken(expectation: dict[str, Expectation], *rows: EnrichedOrder) -> dict[str, str]:
    return {finding.claim: finding.found for finding in findings(expectation, rows) if not finding.holds}


def test_all_checks_hold_if_every_row_is_as_expected() -> None:
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


def test_order_that_was_never_emitted_is_found() -> None:
    wanted = expected(shop(), placed("o1"), placed("o2"))

    assert broken(wanted, result(shop(), placed("o1"))) == {
        "orders sent = orders enriched": "2 = 1; 1 wrong, such as o2"
    }


def test_emitted_order_that_was_never_placed_is_found() -> None:
    assert broken({}, result(shop(), placed())) == {"orders sent = orders enriched": "0 = 1; 1 wrong, such as o1"}


def test_duplicate_row_is_found() -> None:
    row = result(shop(), placed())

    assert broken(expected(shop(), placed()), row, row) == {
        "each revision is there once, and differs from the one before": "2 rows; 2 wrong, such as o1"
    }


def test_revision_equal_to_the_one_before_is_found() -> None:
    row = result(shop(), placed())

    assert list(broken(expected(shop(), placed()), row, second(row))) == [
        "each revision is there once, and differs from the one before"
    ]


def test_version_of_another_time_than_the_order_is_found() -> None:
    cheaper = replace(product(1), price_minor=9_00)
    changing = shop(("11:00:00", Statement("u", (cheaper,))))

    found = broken(expected(changing, placed()), result(shop(), placed()))

    assert found == {
        "names, tiers, categories and prices are those of the order's time": "0 of 1; 1 wrong, such as "
        "o1: line 1 list_price_minor is 1000, not 900"
    }


def test_order_incomplete_although_all_rows_are_known_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)

    assert list(broken(expected(content, early), as_at_first(content, early))) == [
        "names, tiers, categories and prices are those of the order's time"
    ]


def test_early_order_that_was_not_emitted_at_once_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)

    assert broken(expected(content, early), result(content, early)) == {
        "orders of what the shop didn't know yet went out at once": "0 of 1, 1 of them are complete by now; "
        "1 wrong, such as o1"
    }


def test_early_order_that_names_another_missing_row_is_found() -> None:
    content = shop(("12:00:05", Statement("c", (customer(2),))))
    early = placed(buyer=2)
    first = replace(as_at_first(content, early), missing=("customer:customer-3",))

    assert list(broken(expected(content, early), first, second(result(content, early)))) == [
        "orders of what the shop didn't know yet went out at once"
    ]


def test_corrections_of_provisional_orders_are_counted() -> None:
    changed = result(shop(("12:00:00", Statement("u", (product(1, "garden"),)))), placed("o1"))
    provisional = replace(result(shop(), placed("o1")), provisional=True)
    right = replace(result(shop(), placed("o2")), provisional=True)

    found = [each.found for each in findings({}, [provisional, second(changed), right])]

    assert "3 rows, 2 orders provisional, 1 of them corrected" in found
