"""The shop's initial rows fit the events of change data capture, and the orders."""

import re
from collections import Counter
from itertools import islice
from zoneinfo import available_timezones

import msgspec
import pytest

from events import CustomerVersion, Order, ProductVersion
from events.row_version import RowVersion
from local.simulator.order_service import OrderOptions, generate
from local.simulator.shop.database import SCHEMA_FILE
from local.simulator.shop.rows import CUSTOMERS, PRODUCTS, checksum, initial_customers, initial_products, product_row
from local.simulator.world.people import HABITS, TIERS, TIME_ZONES
from local.simulator.world.places import CITIES
from local.simulator.world.products import CATEGORIES, upcoming_product
from tests.builders.events import event_time

VERSION = {"event_id": "id", "event_time": 0, "op": "r", "lsn": 1, "deleted": False}


@pytest.mark.parametrize(("table", "event"), [(CUSTOMERS, CustomerVersion), (PRODUCTS, ProductVersion)])
def test_columns_of_a_table_are_the_fields_of_its_event(table, event):
    # given
    declared = re.search(rf"CREATE TABLE IF NOT EXISTS {table.name} \((.*?)\n\);", SCHEMA_FILE.read_text(), re.DOTALL)
    assert declared is not None

    # when
    columns = re.findall(r"^    (\w+) (?:text|boolean|bigint|integer)\b", declared[1], re.MULTILINE)

    # then
    fields = {"event_type", *RowVersion.__struct_fields__}
    assert tuple(columns) == table.columns
    assert set(columns) == set(event.__struct_fields__) - fields


def test_every_initial_row_is_a_valid_event():
    for row in initial_customers(1_000):
        assert msgspec.convert(VERSION | msgspec.structs.asdict(row), CustomerVersion).customer_id == row.customer_id
    for row in initial_products():
        assert msgspec.convert(VERSION | msgspec.structs.asdict(row), ProductVersion).product_id == row.product_id


def test_initial_rows_do_not_depend_on_their_number():
    assert list(islice(initial_customers(100), 50)) == list(initial_customers(50))
    assert checksum(initial_products()) == checksum(reversed(list(initial_products())))


def test_different_rows_have_different_checksums():
    # given
    rows = list(initial_customers(50))

    # when
    changed = [msgspec.structs.replace(rows[0], phone=None, notifications_opt_out=True), *rows[1:]]

    # then
    assert len({checksum(rows), checksum(changed), checksum(rows[1:]), checksum([*rows, rows[0]])}) == 4


def test_customers_vary_in_their_properties():
    # when
    rows = list(initial_customers(5_000))

    # then
    assert {row.tier for row in rows} == TIERS.keys()
    assert {row.country for row in rows} == HABITS.keys() == {city.country for city in CITIES}
    assert len({row.email for row in rows}) == len(rows)
    assert 0.02 < sum(row.phone is None for row in rows) / len(rows) < 0.1
    assert 0.05 < sum(row.notifications_opt_out for row in rows) / len(rows) < 0.12
    assert Counter(row.tier for row in rows).most_common()[0][0] == "standard"


def test_every_city_has_a_time_zone_that_exists():
    assert TIME_ZONES.keys() == {city.name for city in CITIES}
    assert set(TIME_ZONES.values()) <= available_timezones()


def test_shop_has_every_product_and_customer_of_the_orders():
    # given
    customers = {row.customer_id for row in initial_customers(5_000)}
    products = {row.product_id: row for row in initial_products()}

    # when
    orders = [record.event for record in generate(OrderOptions(start_ms=event_time("12:00:00"), rate=0.2))]

    # then
    for order in orders:
        assert isinstance(order, Order)
        assert order.customer_id in customers
        assert {line.product_id for line in order.lines} <= products.keys()
        if order.currency == "EUR":
            assert all(line.unit_price_minor == products[line.product_id].price_minor for line in order.lines)


def test_categories_have_products_and_upcoming_ones_have_new_ids():
    # given
    products = list(initial_products())

    # when
    upcoming = [product_row(upcoming_product(number)) for number in range(20)]

    # then
    assert {row.category for row in products} == set(CATEGORIES)
    assert [row.product_id for row in upcoming[:2]] == ["product-0201", "product-0202"]
    assert not {row.product_id for row in upcoming} & {row.product_id for row in products}
