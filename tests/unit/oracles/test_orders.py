"""The oracle of orders: from ledgers it expects what the demo computed itself until now."""

import random
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from events import Order
from local.demo.checks import orders as of_the_demo
from local.oracles.orders import expectations
from local.simulator.shop.rows import Row, key_of
from local.simulator.shop.shop_ledger import ShopLedgerContent
from local.simulator.shop.state import Statement
from tests.builders.events import event_time
from tests.builders.shop import customer, line, placed, product, record, sent

NUMBERS = range(1, 4)
HALF_AN_HOUR_MS = 1_800_000


def shop_of(generator: random.Random) -> ShopLedgerContent:
    """A shop that enters, changes and deletes up to 20 rows, some in the same millisecond."""
    rows: list[Row] = [make(number) for make in (customer, product) for number in NUMBERS]
    first = [row for row in rows if generator.random() < 0.5]
    known = {key_of(row) for row in first}
    at, changes = event_time("08:00:00"), []
    for number in range(1, generator.randint(2, 20)):
        at += generator.choice([0, 1, HALF_AN_HOUR_MS])
        row = replace(generator.choice(rows), name=f"Name {number}")
        is_deleted = key_of(row) in known and generator.random() < 0.4
        op = "d" if is_deleted else "u" if key_of(row) in known else "c"
        known ^= {key_of(row)} if op != "u" else set()
        changes.append(record(number, Statement(op, (row,)), at=at))  # type: ignore[arg-type]
    return ShopLedgerContent(tuple(first), tuple(changes), None)


def orders_of(generator: random.Random) -> Iterator[Order]:
    """Ten orders of one to three lines, some with the id of another."""
    for _ in range(10):
        lines = [line(place, generator.choice(NUMBERS)) for place in range(1, generator.randint(2, 4))]
        at = f"{generator.randint(7, 18):02}:{generator.choice(['00', '30'])}:00"
        yield placed(f"o{generator.randint(1, 8)}", at, *lines, buyer=generator.choice(NUMBERS))


@pytest.mark.parametrize("seed", range(200))
def test_expectations_from_ledgers_equal_those_of_the_demo(seed: int) -> None:
    generator = random.Random(seed)
    shop, orders, hours = shop_of(generator), sent(*orders_of(generator)), generator.choice([0, 1, 3, 24])

    found = expectations(orders, shop, hours)

    of_demo = of_the_demo.expectations(orders, shop, hours)
    assert {key: (each.result, each.unknown_at_first) for key, each in found.items()} == {
        key: (each.result, each.unknown_at_first) for key, each in of_demo.items()
    }
