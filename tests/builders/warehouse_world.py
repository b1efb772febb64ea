"""A day in the shop as events of the topics, made from a seed: every kind of event that the warehouse takes."""

from collections.abc import Iterator
from random import Random

import msgspec

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from events import (
    CategoryRevenue,
    CustomerVersion,
    EnrichedLine,
    EnrichedOrder,
    Event,
    FraudAlert,
    Payment,
    ProductVersion,
)
from local.simulator.outgoing import BAD, GOOD, Outgoing
from tests.builders.events import (
    category_revenue,
    customer,
    enriched_line,
    enriched_order,
    fraud_alert,
    payment,
    product,
)

TOPIC_OF: dict[type[Event], Topic] = {
    CustomerVersion: topics.CUSTOMER_CHANGES,
    ProductVersion: topics.PRODUCT_CHANGES,
    EnrichedOrder: topics.ENRICHED_ORDERS,
    Payment: topics.PAYMENTS,
    FraudAlert: topics.FRAUD_ALERTS,
    CategoryRevenue: topics.REVENUE,
}
CATEGORIES = ("books", "garden", "music", "toys")
TIERS = ("standard", "silver", "gold")


def events(name: str, size: int, seed: int, start_ms: int) -> list[Event]:
    """Return about `4 * size` events out of order: a payment each, an order for every second, some changes and alerts.

    Args:
        name: prefix of every id, so that two worlds have no id in common.
        start_ms: event time of the first; the others follow, ten milliseconds apart. Minutes are those before.
    """
    random = Random(seed)
    made = list(_events(name, size, random, start_ms))
    made += random.sample(made, len(made) // 10)  # duplicates
    random.shuffle(made)
    return made


def _events(name: str, size: int, random: Random, start_ms: int) -> Iterator[Event]:
    for number in range(size):
        at = start_ms + 10 * number
        yield _payment(name, number, at, random)
        if number % 5 == 0:
            yield _payment(name, number, at + 3000, random)  # a second attempt
        if number % 2 == 0:
            yield from _order(name, number, at, random)
        if number % 3 == 0:
            yield _customer(name, number, at, random)
        if number % 4 == 0:
            yield _product(name, number, at, random)
        if number % 20 == 0:
            yield fraud_alert(
                f"{name}-case-{number}", event_time=at, case_id=f"{name}-case-{number}", score=random.randrange(1000)
            )
        if number % 10 == 0:
            yield _minute(name, random.randrange(1 + size // 50), start_ms, random)


def _payment(name: str, number: int, at: int, random: Random) -> Payment:
    return payment(
        f"{name}-card-{number % 97}",
        payment_id=f"{name}-payment-{number}",
        event_id=f"{name}-attempt-{number}-{at}",
        event_time=at,
        amount=random.randrange(1, 200),
        status=random.choice(("authorized", "declined")),
    )


def _order(name: str, number: int, at: int, random: Random) -> Iterator[EnrichedOrder]:
    order_id, lines = f"{name}-order-{number}", [_line(name, n + 1, random) for n in range(random.randint(1, 4))]
    if number % 8 == 0:
        unknown = tuple(
            msgspec.structs.replace(
                line, name=None, category=None, list_price_minor=None, list_price_currency=None, product_lsn=None
            )
            for line in lines
        )
        yield enriched_order(order_id, event_time=at, complete=False, missing=("product:p1",), lines=unknown)
    yield enriched_order(order_id, event_time=at, revision=1 + (number % 8 == 0), lines=tuple(lines))


def _line(name: str, number: int, random: Random) -> EnrichedLine:
    category = random.choice(CATEGORIES)
    product_id = f"{name}-product-{random.randrange(50)}"
    return enriched_line(number, product_id, quantity=random.randint(1, 5), category=category)


def _customer(name: str, number: int, at: int, random: Random) -> CustomerVersion:
    customer_id = f"{name}-customer-{random.randrange(40)}"
    return customer(
        customer_id,
        lsn=1000 + number,
        event_time=at,
        deleted=random.random() < 0.1,
        name=f"Name {number}",
        tier=random.choice(TIERS),
    )


def _product(name: str, number: int, at: int, random: Random) -> ProductVersion:
    return product(
        f"{name}-product-{random.randrange(50)}",
        lsn=1000 + number,
        event_time=at,
        deleted=random.random() < 0.1,
        price_minor=random.randrange(100, 9000),
        stock=random.randint(-5, 500),
    )


def _minute(name: str, minute: int, start_ms: int, random: Random) -> CategoryRevenue:
    start, revision = start_ms // 60_000 * 60_000 - 60_000 * (1 + minute), random.randint(1, 99)
    category = f"{name} {random.choice(CATEGORIES)}"
    return category_revenue(
        category,
        revision=revision,
        orders=100 - revision,
        event_id=f"{category}-EUR-{start}",
        event_time=start + 59_999,
        window_start=start,
        window_end=start + 60_000,
    )


def outgoing(event: Event) -> Outgoing:
    """Return an event as a record to be sent to its topic."""
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key)).encode()
    return Outgoing(topic, key, event.event_time, event.event_time, GOOD, event)


def bad_record(topic: Topic, at_ms: int, value: bytes) -> Outgoing:
    """Return bytes that are no event as a record to be sent to a topic."""
    return Outgoing(topic, b"bad", at_ms, at_ms, BAD, None, value)
