"""Changes of the shop's rows: each function returns the statements of one transaction, or none if the change is
impossible."""

from collections.abc import Callable, Iterable
from random import Random

from msgspec.structs import replace

from local.simulator.shop.rows import CustomerRow, ProductRow, Row, customer_row
from local.simulator.shop.state import State, Statement
from local.simulator.world.people import (
    FAMILY_NAMES,
    LANGUAGES,
    TIERS,
    TIME_ZONES,
    email_address,
    language,
    phone_number,
)
from local.simulator.world.places import CITIES
from local.simulator.world.population import customer_number, stays_home
from local.simulator.world.products import CATEGORIES, LEFTOVER

LEAST_PRICE = 99
ORDERING_SHARE = 0.5
"""Share of customers' changes that affect customers who order, so that orders meet changes."""

Change = Callable[[State, Random], list[Statement]]


def sold(state: State, random: Random) -> list[Statement]:
    """Sell a few products: their stock decreases."""
    return _stock(state, random, range(1, 6), range(-3, 0))


def delivered(state: State, random: Random) -> list[Statement]:
    """Deliver many products: their stock increases."""
    return _stock(state, random, range(5, 31), range(10, 201))


def repriced(state: State, random: Random) -> list[Statement]:
    """Change one product's price."""
    return _update(_with_price(product, random.uniform(0.85, 1.18)) for product in state.products.some(random, 1))


def repriced_twice(state: State, random: Random) -> list[Statement]:
    """Change the same product's price twice before the commit."""
    (product,) = state.products.some(random, 1)
    wrong = _with_price(product, 10)
    return [*_update([wrong]), *_update([_with_price(product, 1.05)])]


def category_repriced(state: State, random: Random) -> list[Statement]:
    """Change the price of all products of a category."""
    category, factor = random.choice(CATEGORIES), random.choice((0.8, 0.9, 1.1, 1.2))
    return _update(_with_price(product, factor) for product in state.products.rows if product.category == category)


def product_renamed(state: State, random: Random) -> list[Statement]:
    """Rename a product."""
    (product,) = state.products.some(random, 1)
    base = product.name.partition(" (")[0]
    return _update([replace(product, name=f"{base} ({random.choice(('new', 'classic', 'large', 'small'))})")])


def recategorised(state: State, random: Random) -> list[Statement]:
    """Move a product to another category."""
    (product,) = state.products.some(random, 1)
    others = [category for category in CATEGORIES if category != product.category]
    return _update([replace(product, category=random.choice(others))])


def removed(state: State, random: Random) -> list[Statement]:
    """Remove a product that is never ordered."""
    product = state.products.one(random, lambda row: row.product_id.startswith(LEFTOVER))
    return [Statement("d", (product,))] if product else []


def listed_again(state: State, random: Random) -> list[Statement]:
    """List a removed product again, at another price."""
    if not state.removed:
        return []
    return [Statement("c", (_with_price(random.choice(state.removed), 0.9),))]


def moved(state: State, random: Random) -> list[Statement]:
    """Move a customer elsewhere: another country or time zone, another phone number."""
    customer, city = _customer(state, random), random.choice(CITIES)
    there = replace(
        customer,
        country=city.country,
        time_zone=TIME_ZONES[city.name],
        phone=phone_number(city.country, random),
        language=language(city.country, random) if random.random() < 0.3 else customer.language,
    )
    return _update([there])


def tier_changed(state: State, random: Random) -> list[Statement]:
    """Change a customer's tier."""
    return _update([_with_other_tier(_customer(state, random), random)])


def tiers_reviewed(state: State, random: Random) -> list[Statement]:
    """Change the tier of many customers."""
    some = state.customers.some(random, random.randint(20, 60))
    return _update(_with_other_tier(customer, random) for customer in some)


def email_changed(state: State, random: Random) -> list[Statement]:
    """Change a customer's e-mail address."""
    customer = _customer(state, random)
    number = customer_number(customer.customer_id)
    return _update([replace(customer, email=email_address(random.choice(FAMILY_NAMES), number, random))])


def language_changed(state: State, random: Random) -> list[Statement]:
    """Change a customer's language."""
    customer = _customer(state, random)
    others = [one for one in LANGUAGES if one != customer.language]
    return _update([replace(customer, language=random.choice(others))])


def phone_changed(state: State, random: Random) -> list[Statement]:
    """Change or remove a customer's phone number."""
    customer = _customer(state, random)
    phone = None if customer.phone and random.random() < 0.5 else phone_number(customer.country, random)
    return _update([replace(customer, phone=phone)])


def opted_out(state: State, random: Random) -> list[Statement]:
    """Opt a customer out of messages."""
    customer = state.customers.one(random, lambda row: not row.notifications_opt_out)
    return _update([replace(customer, notifications_opt_out=True)]) if customer else []


def opted_in(state: State, random: Random) -> list[Statement]:
    """Opt a customer in to messages again."""
    customer = state.customers.one(random, lambda row: row.notifications_opt_out)
    return _update([replace(customer, notifications_opt_out=False)]) if customer else []


def customer_renamed(state: State, random: Random) -> list[Statement]:
    """Change a customer's family name."""
    customer = _customer(state, random)
    given_name = customer.name.partition(" ")[0]
    return _update([replace(customer, name=f"{given_name} {random.choice(FAMILY_NAMES)}")])


def registered(state: State, random: Random) -> list[Statement]:
    """Register a few customers who never order."""
    numbers = range(state.next_customer, state.next_customer + random.randint(2, 4))
    return [Statement("c", tuple(customer_row(number) for number in numbers if not stays_home(number)))]


def forgotten(state: State, random: Random) -> list[Statement]:
    """Delete a customer who never orders."""
    customer = state.customers.one(random, lambda row: not orders(row))
    return [Statement("d", (customer,))] if customer else []


def bought(state: State, random: Random) -> list[Statement]:
    """Change both tables at once: stock decreases, and the buyer's tier changes."""
    return [*sold(state, random), *tier_changed(state, random)]


def touched(state: State, random: Random) -> list[Statement]:
    """Write a row without changing it."""
    return _update(state.products.some(random, 1))


CHANGES: dict[Change, int] = {
    sold: 42,
    delivered: 6,
    repriced: 9,
    repriced_twice: 2,
    category_repriced: 3,
    product_renamed: 2,
    recategorised: 1,
    removed: 1,
    listed_again: 1,
    moved: 6,
    tier_changed: 4,
    tiers_reviewed: 1,
    email_changed: 3,
    language_changed: 2,
    phone_changed: 2,
    opted_out: 3,
    opted_in: 2,
    customer_renamed: 1,
    registered: 4,
    forgotten: 2,
    bought: 2,
    touched: 1,
}
"""Number of each change in a hundred transactions."""


def orders(customer: CustomerRow) -> bool:
    """Return whether the order service creates orders of that customer."""
    return stays_home(customer_number(customer.customer_id))


def _update(rows: Iterable[Row]) -> list[Statement]:
    return [Statement("u", tuple(rows))]


def _stock(state: State, random: Random, products: range, pieces: range) -> list[Statement]:
    some = state.products.some(random, random.choice(products))
    return _update(replace(product, stock=product.stock + random.choice(pieces)) for product in some)


def _with_price(product: ProductRow, factor: float) -> ProductRow:
    return replace(product, price_minor=max(LEAST_PRICE, round(product.price_minor * factor)))


def _with_other_tier(customer: CustomerRow, random: Random) -> CustomerRow:
    return replace(customer, tier=random.choice([tier for tier in TIERS if tier != customer.tier]))


def _customer(state: State, random: Random) -> CustomerRow:
    wanted = random.random() < ORDERING_SHARE
    return state.customers.one(random, lambda row: orders(row) is wanted) or state.customers.some(random, 1)[0]
