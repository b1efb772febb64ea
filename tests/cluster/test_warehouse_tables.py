"""The warehouse's tables keep the newest version of each row, whoever inserts what, in whatever order, how often."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from connectors.settings import Settings
from ops import warehouse
from ops.postgres import Connection, connecting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMER_COLUMNS = ("customer_id", "lsn", "valid_from", "deleted", "name")
OTHER_COLUMNS = {
    "email": "ada@example.org",
    "tier": "gold",
    "country": "DE",
    "language": "de",
    "time_zone": "Europe/Berlin",
    "notifications_opt_out": False,
}

examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Version:
    """A row of `dim_customer` as it is inserted."""

    customer_id: str
    lsn: int
    valid_from: datetime
    deleted: bool
    name: str


@dataclass(frozen=True)
class Kept:
    """A row as it is to be found."""

    customer_id: str
    lsn: int
    valid_from: datetime
    valid_to: datetime | None
    is_current: bool
    deleted: bool
    name: str


def history(versions: Iterable[Version]) -> list[Kept]:
    """What type 2 means, in plain Python: of each customer every version, which ends when any later one begins."""
    kept = []
    known = {(each.customer_id, each.lsn): each for each in versions}
    for each in known.values():
        later = [other.valid_from for other in known.values() if is_later(other, each)]
        valid_to = max(min(later), each.valid_from) if later else None
        current = valid_to is None
        kept.append(
            Kept(each.customer_id, each.lsn, each.valid_from, valid_to, current, each.deleted, each.name),
        )
    return sorted(kept, key=lambda row: (row.customer_id, row.lsn))


def is_later(one: Version, other: Version) -> bool:
    return one.customer_id == other.customer_id and one.lsn > other.lsn


def insert(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """One INSERT of all rows, as the connector writes a batch."""
    row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
        sql.Identifier(warehouse.SCHEMA, table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([row] * len(rows)),
    )
    connection.execute(statement, [value for values in rows for value in values])


def insert_versions(connection: Connection, versions: Sequence[Version]) -> None:
    others = tuple(OTHER_COLUMNS.values())
    rows = [astuple(version) + others for version in versions]
    insert(connection, "dim_customer", (*CUSTOMER_COLUMNS, *OTHER_COLUMNS), rows)


def found(connection: Connection) -> list[Kept]:
    rows = connection.execute("""
        SELECT customer_id, lsn, valid_from, valid_to, is_current, deleted, name
        FROM warehouse.dim_customer
        ORDER BY customer_id COLLATE "C", lsn
    """)
    return [Kept(*row) for row in rows]


@st.composite
def batches(draw: st.DrawFn) -> list[list[Version]]:
    """Versions of up to three customers, out of order, some of them twice, in batches. The database's clock may go
    back, and stands still at times."""
    keys = draw(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=1, max_size=12, unique=True),
    )
    versions = [
        Version(
            customer,
            lsn,
            NOON + timedelta(seconds=lsn + draw(st.integers(-2, 2))),
            draw(st.booleans()),
            f"{customer} {lsn}",
        )
        for customer, lsn in keys
    ]
    sent = draw(st.permutations(versions + draw(st.lists(st.sampled_from(versions), max_size=5))))
    cuts = sorted(draw(st.lists(st.integers(1, len(sent)), max_size=4)))
    bounds = [0, *cuts, len(sent)]
    return [sent[begin:end] for begin, end in pairwise(bounds) if begin < end]


@examples
@given(sent=batches())
def test_a_customer_s_history_is_the_same_in_whatever_order_the_versions_arrive(
    warehouse_connection: Connection, sent: list[list[Version]]
) -> None:
    warehouse_connection.execute("TRUNCATE warehouse.dim_customer")

    for batch in sent:
        insert_versions(warehouse_connection, batch)

    assert found(warehouse_connection) == history(version for batch in sent for version in batch)


@examples
@given(
    sent=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=1, max_size=6), min_size=1, max_size=4
    )
)
def test_a_product_stays_in_its_newest_version(
    warehouse_connection: Connection, sent: list[list[tuple[str, int]]]
) -> None:
    warehouse_connection.execute("TRUNCATE warehouse.dim_product")
    columns = ("product_id", "lsn", "event_time", "deleted", "name", "category", "price_minor", "currency", "stock")

    for batch in sent:
        rows = [
            (product, lsn, NOON, lsn % 3 == 0, f"{product} {lsn}", "books", lsn, "EUR", 1) for product, lsn in batch
        ]
        insert(warehouse_connection, "dim_product", columns, rows)

    newest: dict[str, int] = {}
    for product, lsn in (row for batch in sent for row in batch):
        newest[product] = max(lsn, newest.get(product, 0))
    rows = warehouse_connection.execute("SELECT product_id, lsn, deleted, name FROM warehouse.dim_product").fetchall()
    assert sorted(rows) == [(product, lsn, lsn % 3 == 0, f"{product} {lsn}") for product, lsn in sorted(newest.items())]


def test_a_version_that_is_told_otherwise_than_before_is_corrected(warehouse_connection: Connection) -> None:
    first, second = Version("a", 1, NOON, False, "Ada"), Version("a", 2, NOON + timedelta(hours=1), False, "Ada L.")
    insert_versions(warehouse_connection, [first, second])
    corrected = Version("a", 1, NOON, False, "Ada Byron")

    insert_versions(warehouse_connection, [corrected])

    assert found(warehouse_connection) == history([corrected, second])


def test_the_same_row_again_is_not_written_again(warehouse_connection: Connection) -> None:
    columns = ("product_id", "lsn", "event_time", "deleted", "name", "category", "price_minor", "currency", "stock")
    row = ("p1", 1, NOON, False, "A book", "books", 2000, "EUR", 10)
    insert(warehouse_connection, "dim_product", columns, [row])
    insert_versions(warehouse_connection, [Version("a", 1, NOON, False, "Ada")])
    before = places(warehouse_connection)

    insert(warehouse_connection, "dim_product", columns, [row, row])
    insert_versions(warehouse_connection, [Version("a", 1, NOON, False, "Ada")])

    assert places(warehouse_connection) == before


def places(connection: Connection) -> list[Any]:
    """Where the rows lie, which changes with each write."""
    query = "SELECT ctid::text, xmin::text FROM warehouse.dim_product UNION ALL SELECT ctid::text, xmin::text FROM {}"
    return connection.execute(query.format("warehouse.dim_customer")).fetchall()


def test_two_writers_at_a_time_leave_one_current_version(postgres: Settings, warehouse_connection: Connection) -> None:
    older, newer = Version("a", 1, NOON, False, "Ada"), Version("a", 2, NOON + timedelta(hours=1), False, "Ada L.")
    began = threading.Event()

    def second_writer() -> None:
        with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
            began.set()
            insert_versions(connection, [newer])

    writer = threading.Thread(target=second_writer)
    with warehouse_connection.transaction():
        insert_versions(warehouse_connection, [older])
        writer.start()
        assert began.wait(10)
        wait_until_one_waits(postgres)
    writer.join(30)

    assert found(warehouse_connection) == history([older, newer])


def wait_until_one_waits(postgres: Settings) -> None:
    """Until a statement of another connection waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
        while connection.execute(query).fetchone() == (0,):
            assert datetime.now(UTC) < deadline, "nobody waits for a lock"


def test_a_row_that_another_writer_made_newer_meanwhile_is_not_made_older(
    postgres: Settings, warehouse_connection: Connection
) -> None:
    columns = ("product_id", "lsn", "event_time", "deleted", "name", "category", "price_minor", "currency", "stock")
    versions = {lsn: ("p1", lsn, NOON, False, f"Version {lsn}", "books", 2000, "EUR", 10) for lsn in (5, 6, 7)}
    insert(warehouse_connection, "dim_product", columns, [versions[5]])
    tries: list[str] = []

    def second_writer() -> None:
        """Tries again when its batch is refused, as the connector does."""
        with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
            for _ in range(4):
                try:
                    insert(connection, "dim_product", columns, [versions[6]])
                except psycopg.errors.UniqueViolation as error:
                    tries.append(str(error))
                else:
                    return

    writer = threading.Thread(target=second_writer)
    with warehouse_connection.transaction():
        insert(warehouse_connection, "dim_product", columns, [versions[7]])
        writer.start()
        wait_until_one_waits(postgres)
    writer.join(30)

    assert warehouse_connection.execute("SELECT lsn, name FROM warehouse.dim_product").fetchall() == [(7, "Version 7")]
    assert len(tries) <= 1


@pytest.mark.parametrize(("lsn", "kept"), [(4, 5), (6, 6)])
def test_an_update_by_hand_makes_no_row_older_either(warehouse_connection: Connection, lsn: int, kept: int) -> None:
    columns = ("product_id", "lsn", "event_time", "deleted", "name", "category", "price_minor", "currency", "stock")
    insert(warehouse_connection, "dim_product", columns, [("p1", 5, NOON, False, "A book", "books", 1, "EUR", 1)])

    warehouse_connection.execute("UPDATE warehouse.dim_product SET lsn = %s", [lsn])

    assert warehouse_connection.execute("SELECT lsn FROM warehouse.dim_product").fetchall() == [(kept,)]
