"""Generates orders, and the payments that follow from them."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from random import Random

from msgspec.structs import replace

from events import Order, OrderLine, Payment
from local.simulator.outgoing import LATE, Planned
from local.simulator.payments.drafts import home_of
from local.simulator.world.arrivals import early_number, is_entered_by, newcomer
from local.simulator.world.places import BASE_CURRENCY, in_base, in_currency
from local.simulator.world.population import STAY_AT_HOME_EVERY, Card, Population, customer_id
from local.simulator.world.products import Product, upcoming_product
from local.simulator.world.timetable import Timetable

LEAST_CUSTOMERS = 500
"""Minimum number of customers who order."""
SECONDS_BETWEEN_ORDERS = 1_800
"""Mean time between two orders of one customer."""

NEVER_PAID_SHARE = 0.04
PAID_AT_ONCE_SHARE = 0.88
"""Share of orders that are paid within a minute; the others take up to ten."""
DECLINED_SHARE = 0.03
SHOP_ID, SHOP_CATEGORY = "web-shop", "shop"

LATENESS_MS = (60_000, 30 * 60_000)
NEWCOMER_SHARE = 0.5
"""Share of newcomers' orders among the early ones; the others are for upcoming products."""


def customers_for(rate: float) -> int:
    """Return the default number of customers of the shop for this many orders per second."""
    return STAY_AT_HOME_EVERY * max(LEAST_CUSTOMERS, round(rate * SECONDS_BETWEEN_ORDERS))


def planned_orders(
    timetable: Timetable, population: Population, late: float = 0.0, early: float = 0.0, customers: int | None = None
) -> Iterator[Planned]:
    """Yield the orders of one run in order of time, all by customers who pay only at home.

    Args:
        late: share that is sent long after it was placed.
        early: share of orders by a newcomer, or with an upcoming product, that the shop enters later; see `arrivals`.
            The other orders are the same with and without them.
        customers: number of customers of the shop; every tenth of them orders.
    """
    random = Random(f"{timetable.seed}/orders")
    moments = timetable.moments(Random(f"{timetable.seed}/order moments"))
    customers = customers or customers_for(timetable.rate)
    for number, at_ms in enumerate(moments, start=1):
        customer = random.randrange(customers // STAY_AT_HOME_EVERY) * STAY_AT_HOME_EVERY + STAY_AT_HOME_EVERY - 1
        is_late = random.random() < late
        placed_ms = at_ms - random.randint(*LATENESS_MS) if is_late else at_ms
        order_id = f"order-{timetable.run}-{number:07d}"
        order = _order(order_id, population.card_of(customer_id(customer)), placed_ms, population, random)
        if not is_late:
            order = _perhaps_early(order, timetable, population, early, customers)
        yield Planned(order, at_ms, LATE) if is_late else Planned(order, at_ms)


def payments_of(order: Order, card: Card) -> list[Payment]:
    """Return the payments of an order: usually one payment, sometimes with a declined one before it, or none.

    The same order always leads to the same payments with the same ids.
    """
    random = Random(order.order_id)
    if random.random() < NEVER_PAID_SHARE:
        return []
    at_once = random.random() < PAID_AT_ONCE_SHARE
    delay_ms = random.randint(2_000, 50_000) if at_once else random.randint(60_000, 600_000)
    paid_ms = order.event_time + delay_ms
    payments = []
    if random.random() < DECLINED_SHARE:
        payments.append(_payment(order, card, paid_ms, attempt=1, declined=True))
        paid_ms += random.randint(15_000, 40_000)
    payments.append(_payment(order, card, paid_ms, attempt=len(payments) + 1, declined=False))
    return payments


def planned_order_payments(orders: Iterable[Planned], population: Population, end_ms: float) -> Iterator[Planned]:
    """Yield the orders' payments in order of time; those after the end are never made."""
    due: list[tuple[int, int, Planned]] = []
    sequence = count()
    for item in orders:
        while due and due[0][0] <= item.send_at_ms:
            yield heappop(due)[2]
        order = item.event
        assert isinstance(order, Order)
        for payment in payments_of(order, population.card_of(order.customer_id)):
            if payment.event_time <= end_ms:
                heappush(due, (payment.event_time, next(sequence), Planned(payment, payment.event_time)))
    while due:
        yield heappop(due)[2]


def _perhaps_early(order: Order, timetable: Timetable, population: Population, share: float, customers: int) -> Order:
    random = Random(f"{timetable.seed}/{order.order_id}")
    number = early_number(order.event_time - timetable.start_ms, random)
    if random.random() >= share or not is_entered_by(number, timetable.end_ms - timetable.start_ms):
        return order
    if random.random() < NEWCOMER_SHARE:
        card = population.card_of(customer_id(newcomer(number, customers)))
        return _order(order.order_id, card, order.event_time, population, random)
    return _with_product(order, upcoming_product(number))


def _with_product(order: Order, product: Product) -> Order:
    """Return the order with another product in its first line."""
    price = in_currency(product.price_euro_cents, order.currency)
    first = replace(order.lines[0], product_id=product.product_id, unit_price_minor=price)
    lines = (first, *order.lines[1:])
    return replace(order, lines=lines, total_minor=_total(lines))


def _total(lines: Iterable[OrderLine]) -> int:
    return sum(line.quantity * line.unit_price_minor for line in lines)


def _order(order_id: str, card: Card, placed_ms: int, population: Population, random: Random) -> Order:
    currency = card.home.currency
    products = random.sample(population.products, random.choices((1, 2, 3, 4, 5), (40, 25, 18, 10, 7))[0])
    lines = tuple(
        OrderLine(
            line_number=number,
            product_id=product.product_id,
            quantity=random.choices((1, 2, 3), (80, 15, 5))[0],
            unit_price_minor=in_currency(product.price_euro_cents, currency),
        )
        for number, product in enumerate(products, start=1)
    )
    return Order(
        event_id=f"{order_id}-1",
        event_time=placed_ms,
        order_id=order_id,
        customer_id=card.customer_id,
        currency=currency,
        lines=lines,
        total_minor=_total(lines),
        shipping_country=card.home.country,
    )


def _payment(order: Order, card: Card, paid_ms: int, attempt: int, declined: bool) -> Payment:
    home = home_of(card)
    payment_id = f"{order.order_id}-payment-{attempt}"
    return Payment(
        event_id=f"{payment_id}-1",
        event_time=paid_ms,
        payment_id=payment_id,
        order_id=order.order_id,
        customer_id=card.customer_id,
        card_id=card.card_id,
        merchant_id=SHOP_ID,
        merchant_category=SHOP_CATEGORY,
        amount_minor=order.total_minor,
        currency=order.currency,
        base_amount_minor=in_base(order.total_minor, order.currency),
        base_currency=BASE_CURRENCY,
        country=home.city.country,
        latitude=home.latitude,
        longitude=home.longitude,
        device_id=card.phone,
        channel="online",
        status="declined" if declined else "authorized",
    )
