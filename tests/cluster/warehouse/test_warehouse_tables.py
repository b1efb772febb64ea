"""The warehouse's tables keep the newest version of each row, for any writer, order and repetition of inserts."""

import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect
from psycopg import sql

from connectors.postgres.client import Connection, connecting
from connectors.settings import Settings
from events import (
    CategoryRevenue,
    CustomerVersion,
    EnrichedLine,
    EnrichedOrder,
    FraudAlert,
    Payment,
    ProductVersion,
)
from local.oracles import warehouse as oracle
from ops.warehouse import database as warehouse
from tests.builders.events import customer, event_time, product
from tests.services.warehouse_content import read_content
from tests.unit.sql.sql_columns import columns

NOT_COLUMNS = {"event_id", "event_type", "event_time", "op"}
"""Fields of a row's version that its table lacks, or has under another name."""

examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def insert(connection: Connection, versions: Sequence[CustomerVersion] | Sequence[ProductVersion]) -> None:
    """Insert all rows by one INSERT, as the connector writes a batch."""
    of_customers = isinstance(versions[0], CustomerVersion)
    table, time = ("dim_customer", "valid_from") if of_customers else ("dim_product", "event_time")
    columns = [name for name in versions[0].__struct_fields__ if name not in NOT_COLUMNS]
    rows = [(oracle.moment(version.event_time), *(getattr(version, name) for name in columns)) for version in versions]
    row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * (1 + len(columns))))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
        sql.Identifier(warehouse.SCHEMA, table),
        sql.SQL(", ").join(map(sql.Identifier, (time, *columns))),
        sql.SQL(", ").join([row] * len(rows)),
    )
    connection.execute(statement, [value for values in rows for value in values])


def found(connection: Connection, table: str = "dim_customer") -> oracle.Rows:
    return read_content(connection)[table]


def history(versions: Iterable[CustomerVersion]) -> oracle.Rows:
    return oracle.expected(versions)["dim_customer"]


def products(versions: Iterable[ProductVersion]) -> oracle.Rows:
    return oracle.expected(versions)["dim_product"]


@st.composite
def batches(draw: st.DrawFn) -> list[list[CustomerVersion]]:
    """Draw batches of versions of up to three customers, out of order, some of them twice.

    The database's clock may go back, and stand still at times.
    """
    keys = draw(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=1, max_size=12, unique=True),
    )
    versions = [
        customer(
            customer_id,
            lsn=lsn,
            event_time=event_time("12:00:00") + 1000 * (lsn + draw(st.integers(-2, 2))),
            deleted=draw(st.booleans()),
            name=f"{customer_id} {lsn}",
        )
        for customer_id, lsn in keys
    ]
    sent = draw(st.permutations(versions + draw(st.lists(st.sampled_from(versions), max_size=5))))
    cuts = sorted(draw(st.lists(st.integers(1, len(sent)), max_size=4)))
    bounds = [0, *cuts, len(sent)]
    return [sent[begin:end] for begin, end in pairwise(bounds) if begin < end]


@examples
@given(sent=batches())
def test_customer_history_is_the_same_in_any_order_of_arrival(
    warehouse_connection: Connection, sent: list[list[CustomerVersion]]
) -> None:
    warehouse_connection.execute("TRUNCATE warehouse.dim_customer")

    for batch in sent:
        insert(warehouse_connection, batch)

    assert found(warehouse_connection) == history(it for batch in sent for it in batch)


@examples
@given(
    sent=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=1, max_size=6), min_size=1, max_size=4
    )
)
def test_product_stays_in_its_newest_version(
    warehouse_connection: Connection, sent: list[list[tuple[str, int]]]
) -> None:
    warehouse_connection.execute("TRUNCATE warehouse.dim_product")
    versions = [
        [product(product_id, lsn=lsn, deleted=lsn % 3 == 0, name=f"{product_id} {lsn}") for product_id, lsn in batch]
        for batch in sent
    ]

    for batch in versions:
        insert(warehouse_connection, batch)

    assert found(warehouse_connection, "dim_product") == products(it for batch in versions for it in batch)


def test_version_with_changed_values_is_corrected(warehouse_connection: Connection) -> None:
    first, second = customer(lsn=1), customer(lsn=2, at="13:00:00")
    insert(warehouse_connection, [first, second])
    corrected = customer(lsn=1, name="Ada Byron")

    insert(warehouse_connection, [corrected])

    assert found(warehouse_connection) == history([corrected, second])


def test_repeated_row_is_not_written_again(warehouse_connection: Connection) -> None:
    insert(warehouse_connection, [product()])
    insert(warehouse_connection, [customer()])
    before = places(warehouse_connection)

    insert(warehouse_connection, [product(), product()])
    insert(warehouse_connection, [customer()])

    assert places(warehouse_connection) == before


def places(connection: Connection) -> list[Any]:
    """Return the place of each row, which changes with each write."""
    query = "SELECT ctid::text, xmin::text FROM warehouse.dim_product UNION ALL SELECT ctid::text, xmin::text FROM {}"
    return connection.execute(query.format("warehouse.dim_customer")).fetchall()


def test_two_concurrent_writers_leave_one_current_version(postgres: Settings, warehouse_connection: Connection) -> None:
    older, newer = customer(lsn=1), customer(lsn=2, at="13:00:00")
    began = threading.Event()

    def second_writer() -> None:
        with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
            began.set()
            insert(connection, [newer])

    writer = threading.Thread(target=second_writer)
    with warehouse_connection.transaction():
        insert(warehouse_connection, [older])
        writer.start()
        assert began.wait(10)
        wait_for_a_lock_request(postgres)
    writer.join(30)

    assert found(warehouse_connection) == history([older, newer])


def wait_for_a_lock_request(postgres: Settings) -> None:
    """Wait until a statement of another connection waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
        while connection.execute(query).fetchone() == (0,):
            assert datetime.now(UTC) < deadline, "no session waits for a lock"


def test_newer_row_of_a_concurrent_writer_is_not_made_older(
    postgres: Settings, warehouse_connection: Connection
) -> None:
    versions = {lsn: product(lsn=lsn, name=f"Version {lsn}") for lsn in (5, 6, 7)}
    insert(warehouse_connection, [versions[5]])
    tries: list[str] = []

    def second_writer() -> None:
        """Insert, and retry when the batch is refused, as the connector does."""
        with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
            for _ in range(4):
                try:
                    insert(connection, [versions[6]])
                except psycopg.errors.UniqueViolation as error:
                    tries.append(str(error))
                else:
                    return

    writer = threading.Thread(target=second_writer)
    with warehouse_connection.transaction():
        insert(warehouse_connection, [versions[7]])
        writer.start()
        wait_for_a_lock_request(postgres)
    writer.join(30)

    assert warehouse_connection.execute("SELECT lsn, name FROM warehouse.dim_product").fetchall() == [(7, "Version 7")]
    assert len(tries) <= 1


@pytest.mark.parametrize(("lsn", "kept"), [(4, 5), (6, 6)])
def test_update_by_hand_makes_no_row_older(warehouse_connection: Connection, lsn: int, kept: int) -> None:
    insert(warehouse_connection, [product(lsn=5)])

    warehouse_connection.execute("UPDATE warehouse.dim_product SET lsn = %s", [lsn])

    assert warehouse_connection.execute("SELECT lsn FROM warehouse.dim_product").fetchall() == [(kept,)]


EVENT_OF: dict[str, type[Any]] = {
    "dim_customer": CustomerVersion,
    "dim_product": ProductVersion,
    "fact_order": EnrichedOrder,
    "fact_order_line": EnrichedLine,
    "fact_payment": Payment,
    "fact_alert": FraudAlert,
    "revenue_per_minute": CategoryRevenue,
}
FROM_ELSEWHERE = {
    "dim_customer": {"valid_from", "valid_to", "is_current"},
    "fact_order_line": {"order_id", "revision", "event_time", "currency"},
}
"""Columns that are not a field of the event under that name."""
TYPES = {
    "STRING": {"text", "timestamp with time zone", "jsonb"},
    "BIGINT": {"bigint"},
    "BOOLEAN": {"boolean"},
    "DOUBLE": {"double precision"},
}

of_every_table = pytest.mark.parametrize("table", EVENT_OF)


def declared(connection: Connection, table: str) -> dict[str, tuple[str, bool, str | None]]:
    """Return type, nullability and comment of each column of the table in PostgreSQL."""
    rows = connection.execute(
        """
        SELECT column_name, data_type, is_nullable = 'YES', col_description(%s::regclass, ordinal_position)
        FROM information_schema.columns
        WHERE table_schema = 'warehouse' AND table_name = %s
        """,
        [f"warehouse.{table}", table],
    )
    return {name: (kind, nullable, comment) for name, kind, nullable, comment in rows}


@of_every_table
def test_sink_has_the_columns_of_its_table(warehouse_connection: Connection, table: str) -> None:
    sink = {column.name: column.type for column in columns(warehouse.FOLDER.parent / f"warehouse_{table}.sql")}

    there = declared(warehouse_connection, table)

    assert sink.keys() == there.keys() - {"valid_to", "is_current"}
    for name, kind in sink.items():
        assert there[name][0] in TYPES[kind], name


@of_every_table
def test_column_can_be_null_where_the_field_of_the_event_can(warehouse_connection: Connection, table: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec_fields(EVENT_OF[table])}

    there = declared(warehouse_connection, table)

    assert there.keys() - FROM_ELSEWHERE.get(table, set()) <= fields.keys()
    nullable = {name for name, (_, can_be_null, _) in there.items() if can_be_null and name in fields}
    assert nullable == {name for name in there.keys() & fields.keys() if isinstance(fields[name], inspect.UnionType)}


def msgspec_fields(event: type[Any]) -> tuple[inspect.Field, ...]:
    described = inspect.type_info(event)
    assert isinstance(described, inspect.StructType)
    return described.fields


@of_every_table
def test_every_column_has_a_comment(warehouse_connection: Connection, table: str) -> None:
    silent = [name for name, (_, _, comment) in declared(warehouse_connection, table).items() if not comment]

    assert silent == []
