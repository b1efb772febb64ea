"""Changes of the shop's rows follow from the options and the rows, and are consistent."""

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import islice

import msgspec
import pytest

from events import CustomerVersion, ProductVersion
from local.simulator.shop.changes import CHANGES, LEAST_PRICE, orders
from local.simulator.shop.plan import ENTERED, LISTED, ShopOptions, Transaction, plan
from local.simulator.shop.rows import CustomerRow, ProductRow, Row, initial_customers, initial_products, key_of
from local.simulator.shop.state import State
from local.simulator.world.arrivals import EVERY_MS, newcomer
from local.simulator.world.people import TIME_ZONES
from local.simulator.world.population import customer_id
from local.simulator.world.products import LEFTOVER
from tests.builders.events import event_time

START_MS = event_time("12:00:00")
OPTIONS = ShopOptions(start_ms=START_MS, rate=20, seconds=60, customers=1_000)


def first_rows(customers: int = OPTIONS.customers) -> State:
    """Return the tables as they are filled at first."""
    return State.of(initial_customers(customers), initial_products())


@cache
def run() -> tuple[Transaction, ...]:
    """Return 1,200 transactions, and the rows that are entered by the timetable."""
    return tuple(plan(OPTIONS, first_rows()))


def rows_of(op: str, kind: type[Row]) -> list[Row]:
    """Return all rows that are created, updated or deleted in the run."""
    return [
        row
        for transaction in run()
        for statement in transaction.statements
        for row in statement.rows
        if statement.op == op and isinstance(row, kind)
    ]


def test_same_options_on_the_same_rows_lead_to_the_same_changes():
    assert tuple(plan(OPTIONS, first_rows())) == run()


def test_another_seed_leads_to_other_changes():
    assert next(plan(replace(OPTIONS, seed=8), first_rows())) != run()[0]


def test_run_has_the_requested_transactions_in_order_of_time():
    # when
    times = [transaction.at_ms for transaction in run()]
    by_timetable = [transaction for transaction in run() if transaction.kind in {LISTED, ENTERED}]

    # then
    assert len(times) - len(by_timetable) == 1_200
    assert times == sorted(times)
    assert times[0] >= START_MS and times[-1] <= START_MS + 60_000


def test_each_hundred_transactions_contain_every_possible_change():
    # given
    kinds = [transaction.kind for transaction in run() if transaction.kind not in {LISTED, ENTERED}]

    # then
    can_always = {change.__name__ for change in CHANGES} - {"listed_again"}
    for start in range(0, 1_200, 100):
        assert can_always <= set(kinds[start : start + 100])
    assert "listed_again" in kinds


def test_transactions_are_of_many_sizes_and_some_are_rolled_back():
    # when
    sizes = {sum(len(statement.rows) for statement in transaction.statements) for transaction in run()}
    rolled_back = [transaction for transaction in run() if transaction.is_rolled_back]

    # then
    assert min(sizes) == 1
    assert max(sizes) >= 40
    assert len(sizes) > 20
    assert len(rolled_back) / len(run()) == pytest.approx(0.04, abs=0.02)


def test_some_transactions_change_a_row_twice_and_some_change_both_tables():
    # given
    statements = [transaction.statements for transaction in run() if len(transaction.statements) == 2]

    # then
    keys = [[{key_of(row) for row in statement.rows} for statement in pair] for pair in statements]
    assert any(first & second for first, second in keys)
    assert any(
        {type(row) for statement in pair for row in statement.rows} == {CustomerRow, ProductRow} for pair in statements
    )


def test_every_column_changes():
    # given
    state, changed = first_rows(), set()
    before: dict[str, Row] = {key_of(row): row for row in (*state.customers.rows, *state.products.rows)}

    # when
    for row in (*rows_of("u", CustomerRow), *rows_of("u", ProductRow)):
        old = before.get(key_of(row), row)
        changed |= {name for name in row.__struct_fields__ if getattr(old, name) != getattr(row, name)}
        before[key_of(row)] = row

    # then
    keys = {"customer_id", "product_id", "currency"}
    assert changed == {*CustomerRow.__struct_fields__, *ProductRow.__struct_fields__} - keys


def test_every_change_fits_the_existing_rows_and_is_a_valid_event():
    # given
    there: dict[str, Row] = {key_of(row): row for row in (*initial_customers(1_000), *initial_products())}
    version = {"event_id": "id", "event_time": 0, "op": "c", "lsn": 1, "deleted": False}

    # when
    for transaction in run():
        after = dict(there)
        for statement in transaction.statements:
            assert len({key_of(row) for row in statement.rows}) == len(statement.rows) > 0
            assert len({type(row) for row in statement.rows}) == 1
            for row in statement.rows:
                event = CustomerVersion if isinstance(row, CustomerRow) else ProductVersion
                msgspec.convert(version | msgspec.structs.asdict(row), event)
                assert (key_of(row) in after) is (statement.op != "c")
                if statement.op == "d":
                    assert after.pop(key_of(row)) == row
                else:
                    after[key_of(row)] = row
        there = there if transaction.is_rolled_back else after

    # then
    end = first_rows()
    for _ in plan(OPTIONS, end):
        pass
    assert there == {key_of(row): row for row in (*end.customers.rows, *end.products.rows)}


def test_customers_who_order_and_sold_products_are_never_deleted():
    # when
    customers, products = rows_of("d", CustomerRow), rows_of("d", ProductRow)

    # then
    assert customers and products
    assert not any(orders(row) for row in customers if isinstance(row, CustomerRow))
    assert all(key_of(row).startswith(LEFTOVER) for row in products)


def test_prices_have_a_minimum_and_moved_customers_valid_places():
    # given
    moved = [transaction for transaction in run() if transaction.kind == "moved"]

    # then
    assert min(row.price_minor for row in rows_of("u", ProductRow) if isinstance(row, ProductRow)) >= LEAST_PRICE
    for row in (row for transaction in moved for row in transaction.statements[0].rows):
        assert isinstance(row, CustomerRow)
        assert row.time_zone in TIME_ZONES.values()
        assert row.phone is None or row.phone.startswith("+")


def test_upcoming_products_and_newcomers_are_entered_by_the_timetable():
    # when
    entered = [
        (transaction.at_ms - START_MS, key_of(transaction.statements[0].rows[0]))
        for transaction in run()
        if transaction.kind in {LISTED, ENTERED}
    ]

    # then
    assert entered[:4] == [
        (EVERY_MS, "product-0201"),
        (EVERY_MS * 3 // 2, "customer-0001009"),
        (EVERY_MS * 2, "product-0202"),
        (EVERY_MS * 5 // 2, "customer-0001019"),
    ]
    assert entered[-1] == (60_000, "product-0215")


def test_run_on_rows_of_another_enters_the_next_products_and_customers():
    # given
    state = first_rows()
    first = list(plan(OPTIONS, state))

    # when
    second = list(plan(replace(OPTIONS, start_ms=START_MS + 60_000), state))

    # then
    created = Counter(
        key_of(row)
        for transaction in first + second
        for statement in transaction.statements
        if statement.op == "c" and not transaction.is_rolled_back
        for row in statement.rows
        if not key_of(row).startswith(LEFTOVER)
    )
    assert set(created.values()) == {1}
    assert "product-0216" in created


def test_run_without_an_end_continues():
    # when
    transactions = list(islice(plan(replace(OPTIONS, seconds=0), first_rows()), 3_000))

    # then
    assert transactions[-1].at_ms - START_MS > 120_000


@pytest.mark.parametrize(("customers", "first"), [(1_000, 1_009), (1_009, 1_009), (1_010, 1_019)])
def test_newcomers_follow_the_initial_customers(customers, first):
    assert [customer_id(newcomer(number, customers)) for number in range(2)] == [
        customer_id(first),
        customer_id(first + 10),
    ]
