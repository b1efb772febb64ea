"""The demo's text of an order fits a line and names what is unknown; the whole view fits a small terminal."""

from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console

from events import BrokenRule, FraudAlert
from local.demo.results.observer import Observed
from local.demo.view import Figures, figures, order_line, screen
from tests.builders.events import event_time
from tests.builders.shop import enriched, line, placed


def test_order_is_shown_with_its_customer_and_products() -> None:
    shown = order_line(enriched(placed("o1", "12:00:00", line(1), line(2, product_number=2, quantity=1))))

    assert shown.split("  ")[0] == "12:00:00"
    assert "ordered" in shown
    assert "Ada (standard)" in shown
    assert "30.00 EUR" in shown
    assert shown.endswith("2 Atlas, 1 Atlas")


def test_unknown_customer_or_product_is_shown_by_its_id() -> None:
    shown = order_line(enriched(placed("o1", "12:00:00", line(1, product_number=9), buyer=7)))

    assert "? customer-7" in shown
    assert shown.endswith("2 ? product-9")


def test_second_revision_is_a_correction_and_many_lines_are_counted() -> None:
    order = enriched(placed("o1", "12:00:00", *(line(number) for number in range(1, 6))))

    shown = order_line(replace(order, revision=2))

    assert "corrected" in shown
    assert shown.endswith("2 Atlas, 2 Atlas, 3 more")


def test_money_without_a_minor_unit_has_no_decimals() -> None:
    order = replace(enriched(placed()), currency="JPY", total_minor=1_200)

    assert "1,200 JPY" in order_line(order)


def test_order_counts_as_incomplete_until_a_complete_revision() -> None:
    first = enriched(placed("o1", buyer=9))
    second = replace(enriched(placed("o1")), event_id="o1-2", revision=2)
    other = enriched(placed("o2"))

    counts = [
        figures(
            Observed(enriched=seen),
            accepted=0,
            payments_before=0,
            payments_a_second=0,
            seconds_left=1,
            documents=0,
            mails=0,
            unavailable={},
        )
        for seen in ([first, other], [first, second, other], [first, second, replace(second, revision=3), other])
    ]

    assert [(each.enriched, each.incomplete) for each in counts] == [(2, 1), (2, 0), (2, 0)]


LARGE = Figures(
    seconds_left=31,
    unavailable=("elasticsearch for 12 s", "connect for 3 s"),
    payments=1_234_567,
    payments_a_second=1_203,
    orders=81_234,
    shop_changes=90_143,
    enriched=80_912,
    incomplete=423,
    alerts=1_217,
    dead_letters=12_392,
    late=1_311,
    shadow_hits=1_005,
    lag=100_123,
    p50_ms=1_234,
    p99_ms=123_456,
    revenue_rows=12_345,
    documents=82_345,
    notifications=81_234,
    mails=81_200,
)
RULES = ("impossible_travel", "velocity_burst", "takeover")
ALERT = FraudAlert(
    event_id="case-1/1",
    event_time=event_time("12:00:05"),
    event_type="fraud_alert.escalated",
    case_id="case-1",
    card_id="card-0000001",
    customer_id="customer-1",
    payment_id="p1",
    score=150,
    rules=tuple(BrokenRule(rule=rule, score=50, reason="") for rule in RULES),
    ruleset_version=1,
    features={},
    payments=("p1",),
    payment_count=12,
    amount_minor=123_456_00,
    currency="EUR",
)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_terminal_shows_every_figure_and_the_latest_alerts_and_orders(width: int, height: int) -> None:
    order = enriched(placed("o1", "12:00:00", *(line(number) for number in range(1, 6))))
    terminal = StringIO()

    Console(file=terminal, width=width, height=height).print(screen(LARGE, [ALERT] * 9, [order] * 6))

    shown = terminal.getvalue().splitlines()
    assert len(shown) <= height - 1
    assert shown[0].rstrip() == "31 s to go   unavailable: elasticsearch for 12 s, connect for 3 s"
    cells = [*LARGE.cells(), *LARGE.order_cells(), *LARGE.consumer_cells()]
    assert all(f"{name} {value}" in terminal.getvalue() for name, value in cells)
    assert sum("card-0000001    123,456.00 EUR  impossible_travel" in each for each in shown) == 9
    assert sum("Ada (standard)" in each for each in shown) == 6
