"""Most orders are of customers and products that the shop knows; a few come before it does, and it soon will."""

from dataclasses import replace
from functools import cache

import pytest

from events import Order
from local.simulator.order_service import OrderOptions, generate
from local.simulator.orders.orders import customers_for
from local.simulator.shop.plan import ENTERED, LISTED, ShopOptions, plan
from local.simulator.shop.rows import CustomerRow, ProductRow, initial_customers, initial_products, key_of
from local.simulator.shop.state import State
from local.simulator.world.arrivals import EVERY_MS
from local.simulator.world.products import products_on_offer
from local.simulator.world.timetable import OptionsError
from tests.builders.events import event_time

START_MS = event_time("12:00:00")
CUSTOMERS = 1_000
OPTIONS = OrderOptions(start_ms=START_MS, rate=20, seconds=60, early=0.2, customers=CUSTOMERS)


def orders(options: OrderOptions) -> list[Order]:
    """Return the orders that the service publishes."""
    return [record.event for record in generate(options) if isinstance(record.event, Order)]


@cache
def arrivals() -> dict[str, tuple[int, CustomerRow | ProductRow]]:
    """Return when the shop enters each upcoming product and newcomer of a run that starts together with the orders."""
    state = State.of(initial_customers(CUSTOMERS), initial_products())
    options = ShopOptions(start_ms=START_MS, rate=1, seconds=60, customers=CUSTOMERS)
    rows = (
        (transaction.at_ms, transaction.statements[0].rows[0])
        for transaction in plan(options, state)
        if transaction.kind in {LISTED, ENTERED}
    )
    return {key_of(row): (at_ms, row) for at_ms, row in rows}


def named(order: Order) -> set[str]:
    """Return the keys of the order's customer and products."""
    return {order.customer_id, *(line.product_id for line in order.lines)}


def early(options: OrderOptions) -> list[Order]:
    """Return the orders with a customer or product that the shop doesn't know at first."""
    known = {f"customer-{number:07d}" for number in range(CUSTOMERS)}
    known |= {product.product_id for product in products_on_offer()}
    return [order for order in orders(options) if not named(order) <= known]


def test_early_order_precedes_the_row_that_it_names_by_seconds():
    # when
    found = early(OPTIONS)

    # then
    for order in found:
        (key,) = named(order) & arrivals().keys()
        seconds_early = (arrivals()[key][0] - order.event_time) / 1000
        assert EVERY_MS / 1000 <= seconds_early <= 3.5 * EVERY_MS / 1000


def test_early_orders_have_their_share_half_of_them_by_newcomers():
    # when
    found = early(OPTIONS)
    of_newcomers = [order for order in found if order.customer_id in arrivals()]

    # then
    assert len(orders(OPTIONS)) == 1_200
    # No such order is in the last seconds of the run: the shop would enter what it names too late.
    assert len(found) / 1_200 == pytest.approx(0.2 * 0.8, abs=0.03)
    assert len(of_newcomers) / len(found) == pytest.approx(0.5, abs=0.1)


def test_upcoming_product_has_the_price_of_its_later_row():
    # when
    lines = [line for order in early(OPTIONS) if order.currency == "EUR" for line in order.lines]
    upcoming = [line for line in lines if line.product_id in arrivals()]

    # then
    assert upcoming
    for line in upcoming:
        row = arrivals()[line.product_id][1]
        assert isinstance(row, ProductRow)
        assert (row.price_minor, row.currency) == (line.unit_price_minor, "EUR")


def test_order_of_a_newcomer_is_sent_to_the_country_of_the_newcomer():
    # when
    of_newcomers = [order for order in early(OPTIONS) if order.customer_id in arrivals()]

    # then
    for order in of_newcomers:
        row = arrivals()[order.customer_id][1]
        assert isinstance(row, CustomerRow)
        assert order.shipping_country == row.country


def test_other_orders_are_the_same_with_and_without_early_ones():
    # when
    with_early, without = orders(OPTIONS), orders(replace(OPTIONS, early=0))
    early_ids = {order.order_id for order in early(OPTIONS)}

    # then
    assert [order.order_id for order in with_early] == [order.order_id for order in without]
    assert {order.order_id for order in set(with_early) ^ set(without)} == early_ids
    assert not early(replace(OPTIONS, early=0))


def test_total_of_an_early_order_is_the_sum_of_its_lines():
    for order in early(OPTIONS):
        assert order.total_minor == sum(line.quantity * line.unit_price_minor for line in order.lines)


def test_late_order_is_never_an_early_one():
    # given
    options = replace(OPTIONS, faults=replace(OPTIONS.faults, late=1.0))

    # then
    assert not early(options)


def test_default_number_of_customers_follows_from_the_rate():
    # when
    found = orders(replace(OPTIONS, customers=None, early=0))

    # then
    assert customers_for(0.01) == 5_000
    assert customers_for(20) == 360_000
    assert max(order.customer_id for order in found) < f"customer-{360_000:07d}"


@pytest.mark.parametrize(
    ("options", "reason"), [({"early": 1.5}, "share of early orders"), ({"customers": 9}, "one customer in 10 orders")]
)
def test_impossible_options_are_refused_with_the_reason(options, reason):
    with pytest.raises(OptionsError, match=reason):
        replace(OPTIONS, **options)
