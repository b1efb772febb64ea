"""Row types of the shop's tables, and the rows that they begin with."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from random import Random
from typing import Generic, TypeVar

import msgspec

from local.simulator.world.people import (
    FAMILY_NAMES,
    GIVEN_NAMES,
    TIME_ZONES,
    email_address,
    language,
    phone_number,
    tier,
)
from local.simulator.world.places import BASE_CURRENCY
from local.simulator.world.population import customer_id, home_city
from local.simulator.world.products import Product, leftovers, products_on_offer

SEED = 1
MOST_STOCK_AT_FIRST = 500
OPT_OUT_SHARE = 0.08


class CustomerRow(msgspec.Struct, frozen=True, tag_field="table", tag="shop.customers"):
    """A row of `shop.customers`; the fields are those of `events.CustomerVersion`."""

    customer_id: str
    name: str
    email: str
    phone: str | None
    tier: str
    country: str
    language: str
    time_zone: str
    notifications_opt_out: bool


class ProductRow(msgspec.Struct, frozen=True, tag_field="table", tag="shop.products"):
    """A row of `shop.products`; the fields are those of `events.ProductVersion`."""

    product_id: str
    name: str
    category: str
    price_minor: int
    currency: str
    stock: int


Row = CustomerRow | ProductRow
RowT = TypeVar("RowT", CustomerRow, ProductRow)


class Table(msgspec.Struct, Generic[RowT], frozen=True):
    """A table and the type of its rows."""

    name: str
    row: type[RowT]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns in the order of the row's fields; the first is the primary key."""
        return self.row.__struct_fields__

    @property
    def key(self) -> str:
        """Name of the primary key."""
        return self.columns[0]


AnyTable = Table[CustomerRow] | Table[ProductRow]

CUSTOMERS = Table("shop.customers", CustomerRow)
PRODUCTS = Table("shop.products", ProductRow)


def key_of(row: Row) -> str:
    """Return the row's primary key."""
    return row.customer_id if isinstance(row, CustomerRow) else row.product_id


def checksum(rows: Iterable[CustomerRow] | Iterable[ProductRow]) -> str:
    """Return a checksum that is equal for the same rows in any order, and for no others."""
    digest = blake2b(digest_size=8)
    for line in sorted(msgspec.json.encode(row) for row in rows):
        digest.update(line + b"\n")
    return digest.hexdigest()


def initial_customers(count: int) -> Iterator[CustomerRow]:
    """Yield the first `count` customers of the population."""
    return map(customer_row, range(count))


def initial_products() -> Iterator[ProductRow]:
    """Yield the products that are sold, and those that are never ordered."""
    return map(product_row, (*products_on_offer(), *leftovers()))


def customer_row(number: int) -> CustomerRow:
    """Return the customer with that number as the shop enters it at first."""
    random, home = Random(f"{SEED}/customer {number}"), home_city(number)
    full_name = f"{random.choice(GIVEN_NAMES)} {random.choice(FAMILY_NAMES)}"
    return CustomerRow(
        customer_id=customer_id(number),
        name=full_name,
        email=email_address(full_name, number, random),
        phone=phone_number(home.country, random),
        tier=tier(random),
        country=home.country,
        language=language(home.country, random),
        time_zone=TIME_ZONES[home.name],
        notifications_opt_out=random.random() < OPT_OUT_SHARE,
    )


def product_row(product: Product) -> ProductRow:
    """Return a product as the shop enters it at first; the list price is the one that orders are made with."""
    return ProductRow(
        product_id=product.product_id,
        name=product.name,
        category=product.category,
        price_minor=product.price_euro_cents,
        currency=BASE_CURRENCY,
        stock=Random(product.product_id).randint(0, MOST_STOCK_AT_FIRST),
    )
