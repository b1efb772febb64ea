"""The warehouse job: from records to rows of a real PostgreSQL, in any order of arrival."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from py4j.protocol import Py4JJavaError
from pyflink import java_gateway

from connectors.kafka import topics
from connectors.postgres.client import Connection
from connectors.settings import Settings
from events import Event
from jobs import warehouse
from tests.builders.events import (
    category_revenue,
    customer,
    enriched_line,
    enriched_order,
    event_time,
    fraud_alert,
    payment,
    product,
)
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record
from tests.cluster.warehouse.warehouse_loader import SOURCES, Loader


@pytest.fixture
def loader(cluster: MiniCluster, postgres: Settings, tmp_path: Path) -> Loader:
    return Loader(cluster, postgres, tmp_path)


def at(time: str) -> datetime:
    return datetime.fromtimestamp(event_time(time) / 1000, UTC)


def rows(connection: Connection, table: str, columns: str = "*", order: str = "1, 2") -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {columns} FROM warehouse.{table} ORDER BY {order}").fetchall()


def test_every_job_source_has_a_topic() -> None:
    assert set(SOURCES) == set(warehouse.SOURCES)


def row(connection: Connection, table: str) -> dict[str, Any]:
    """Return the only row of a table, by column."""
    cursor = connection.execute(f"SELECT * FROM warehouse.{table}")
    [values] = cursor.fetchall()
    return {column.name: value for column, value in zip(cursor.description or (), values, strict=True)}


def fields(event: Event, *left_out: str) -> dict[str, Any]:
    """Return the event's fields as columns of a row."""
    values = msgspec.json.decode(msgspec.json.encode(event)) | {
        "event_time": datetime.fromtimestamp(event.event_time / 1000, UTC)
    }
    return {name: value for name, value in values.items() if name not in left_out}


def test_event_of_each_kind_becomes_a_row_of_its_table(loader: Loader, warehouse_connection: Connection) -> None:
    moved = customer(at="12:00:00.123", phone=None)
    offered = product(at="12:00:01")
    order = enriched_order(at="12:00:02")
    paid = payment(at="12:00:03", latitude=-0.1, order_id="o1")
    alert = fraud_alert(at="12:00:04")
    revenue = category_revenue()

    letters = loader.load(moved, offered, order, paid, alert, revenue)

    assert letters == []
    source = ("event_id", "event_type", "op")
    assert row(warehouse_connection, "dim_customer") == fields(moved, *source, "event_time") | {
        "valid_from": at("12:00:00.123"),
        "valid_to": None,
        "is_current": True,
    }
    assert row(warehouse_connection, "dim_product") == fields(offered, *source)
    of_customer = ("customer_name", "customer_tier", "customer_country")
    assert row(warehouse_connection, "fact_order") == fields(
        order, "event_type", "missing", "lines", "provisional", *of_customer
    )
    [line] = order.lines
    assert row(warehouse_connection, "fact_order_line") == msgspec.to_builtins(line) | {
        "order_id": "o1",
        "revision": 1,
        "event_time": at("12:00:02"),
        "currency": "EUR",
    }
    assert row(warehouse_connection, "fact_payment") == fields(paid, "event_type")
    assert row(warehouse_connection, "fact_alert") == fields(alert)
    assert row(warehouse_connection, "revenue_per_minute") == fields(revenue, "event_type") | {
        "window_start": at("12:00:00"),
        "window_end": at("12:01:00"),
    }


@pytest.mark.full
def test_batch_out_of_order_leaves_the_newest_versions(loader: Loader, warehouse_connection: Connection) -> None:
    loader.load(
        customer(lsn=3, at="12:30:00", tier="gold"),
        customer(lsn=1, at="12:00:00"),
        customer(lsn=2, at="12:10:00", tier="silver"),
        product(lsn=2, price_minor=1900),
        product(lsn=1, price_minor=2000),
        enriched_order(revision=2),
        enriched_order(revision=1, complete=False, customer_lsn=None),
        payment(payment_id="retried", at="12:00:09", status="authorized"),
        payment(payment_id="retried", at="12:00:05", status="declined"),
        category_revenue(revision=2, orders=1),
        category_revenue(revision=1, orders=2),
    )

    assert rows(warehouse_connection, "dim_customer", "lsn, tier, valid_from, valid_to, is_current") == [
        (1, "standard", at("12:00:00"), at("12:10:00"), False),
        (2, "silver", at("12:10:00"), at("12:30:00"), False),
        (3, "gold", at("12:30:00"), None, True),
    ]
    assert rows(warehouse_connection, "dim_product", "lsn, price_minor") == [(2, 1900)]
    assert rows(warehouse_connection, "fact_order", "revision, complete, customer_lsn") == [(2, True, 1)]
    assert rows(warehouse_connection, "fact_order_line", "revision, line_number") == [(2, 1)]
    assert rows(warehouse_connection, "fact_payment", "status, event_time") == [("authorized", at("12:00:09"))]
    assert rows(warehouse_connection, "revenue_per_minute", "revision, orders, revenue_minor") == [(2, 1, 4000)]


def test_older_versions_of_a_later_run_replace_no_newer_row(loader: Loader, warehouse_connection: Connection) -> None:
    old = [
        customer(lsn=1, at="12:00:00", name="Ada Lovelace"),
        product(lsn=1),
        enriched_order(revision=1, complete=False, customer_lsn=None, lines=(enriched_line(product_lsn=None),)),
    ]
    new = [
        customer(lsn=2, at="13:00:00", name="Ada King"),
        product(lsn=2, name="A better book"),
        enriched_order(revision=2),
    ]
    loader.load(*new)

    loader.load(*old)

    assert rows(warehouse_connection, "dim_customer", "lsn, name, valid_to") == [
        (1, "Ada Lovelace", at("13:00:00")),
        (2, "Ada King", None),
    ]
    assert rows(warehouse_connection, "dim_product", "lsn, name") == [(2, "A better book")]
    assert rows(warehouse_connection, "fact_order", "revision, complete") == [(2, True)]
    assert rows(warehouse_connection, "fact_order_line", "revision, product_lsn") == [(2, 1)]


def test_replay_of_all_topics_writes_nothing(loader: Loader, warehouse_connection: Connection) -> None:
    events = [
        customer(lsn=1, at="12:00:00"),
        customer(lsn=2, at="12:10:00", tier="gold"),
        product(),
        product(lsn=2),
        enriched_order(revision=1, complete=False),
        enriched_order(revision=2),
        payment(),
        fraud_alert(),
        category_revenue(),
    ]
    loader.load(*events)
    before = places(warehouse_connection)

    loader.load(*events)

    assert places(warehouse_connection) == before


def places(connection: Connection) -> dict[str, list[Any]]:
    """Return the place of each row in each table, which changes with each write."""
    return {target: rows(connection, target, "ctid::text, xmin::text") for target in warehouse.TARGETS}


def test_row_deleted_in_the_shop_stays_and_is_marked_as_deleted(
    loader: Loader, warehouse_connection: Connection
) -> None:
    loader.load(
        customer(lsn=1, at="12:00:00"),
        customer(lsn=2, at="12:10:00", deleted=True),
        product(lsn=1),
        product(lsn=2, deleted=True),
        customer("came-back", lsn=3, at="12:00:00", deleted=True),
        customer("came-back", lsn=4, at="12:05:00"),
    )

    assert rows(warehouse_connection, "dim_customer", "customer_id, lsn, deleted, valid_to") == [
        ("came-back", 3, True, at("12:05:00")),
        ("came-back", 4, False, None),
        ("customer-1", 1, False, at("12:10:00")),
        ("customer-1", 2, True, None),
    ]
    assert rows(warehouse_connection, "dim_product", "lsn, deleted, name") == [(2, True, "p1 at 00:00:00")]


def at_noon(value: bytes) -> Record:
    return Record(value, key=b"k", timestamp=event_time("12:00:00"))


def encoded(event: Event, **replaced: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | replaced)


def test_record_that_cannot_be_loaded_is_a_dead_letter_others_are_loaded(
    loader: Loader, warehouse_connection: Connection
) -> None:
    nul = "a\x00b"
    bad = {
        topics.PAYMENTS: [encoded(payment(), currency="EURO"), encoded(payment(), merchant_id=nul), b"{", b""],
        topics.CUSTOMER_CHANGES: [encoded(customer(), name=nul), encoded(customer(), lsn=-1)],
        topics.PRODUCT_CHANGES: [encoded(product(), name=nul), encoded(product(), stock=2**63)],
        topics.ENRICHED_ORDERS: [
            encoded(enriched_order(), customer_name=nul),
            encoded(enriched_order(), lines=[msgspec.to_builtins(enriched_line(name=nul))]),
            encoded(enriched_order(), lines=[]),
        ],
        topics.FRAUD_ALERTS: [
            encoded(fraud_alert(), features={"recent": [nul]}),
            encoded(fraud_alert(), features={"a": {"b": 1}}),
            encoded(fraud_alert()).replace(b'"avg_1h":1.5', b'"avg_1h":1e-20000'),
        ],
        topics.REVENUE: [encoded(category_revenue(), window_end=2**62), encoded(category_revenue(), orders="1")],
    }
    good = [customer(), product(), enriched_order(), payment(), fraud_alert(), category_revenue()]

    letters = loader.load(*good, records={topic: [at_noon(value) for value in values] for topic, values in bad.items()})

    stack_trace_of = {(letter.source_topic, letter.source_offset): letter for letter in letters}
    assert {
        (topic.name, 1 + position): value for topic, values in bad.items() for position, value in enumerate(values)
    } == {coordinates: letter.payload for coordinates, letter in stack_trace_of.items()}
    assert len(letters) == len(stack_trace_of)
    assert {letter.rejected_by for letter in letters} == {"warehouse"}
    assert stack_trace_of["payments", 2].reason == "the character U+0000, which PostgreSQL can't hold"
    assert {target: len(rows(warehouse_connection, target, "1", "1")) for target in warehouse.TARGETS} == dict.fromkeys(
        warehouse.TARGETS, 1
    )


def test_unusual_but_valid_texts_and_numbers_are_loaded(loader: Loader, warehouse_connection: Connection) -> None:
    names = [
        "",
        "\\u0000",
        "\\\\u0000",
        "'); DROP TABLE x; --",
        "\U0001f600\u0301\u200b\ufeff\uffff",
        "\x01\x7f\\",
        "NULL",
    ]
    features = {"most": 2**63 - 1, "tiny": 5e-324, "text": "1e99999 \\u0000 \\"}

    letters = loader.load(
        *(customer(f"customer-{number}", name=name) for number, name in enumerate(names)),
        product(stock=-(2**63), price_minor=2**63 - 1),
        fraud_alert(features=features | {"huge": 1.7e308}),
        category_revenue(revenue_minor=-1),
    )

    assert letters == []
    assert rows(warehouse_connection, "dim_customer", "name", "customer_id") == [(name,) for name in names]
    assert rows(warehouse_connection, "dim_product", "stock, price_minor") == [(-(2**63), 2**63 - 1)]
    assert rows(warehouse_connection, "fact_alert", "features - 'huge', (features ->> 'huge')::float8") == [
        (features, 1.7e308)
    ]


def test_plan_reads_each_topic_once_and_has_no_password(loader: Loader, tmp_path: Path) -> None:
    plan = loader.defined(tmp_path / "plan", [], {}).explain()

    execution = plan[plan.index("== Optimized Execution Plan ==") :]
    assert execution.count("TableSourceScan") == len(warehouse.SOURCES)
    assert "password" not in plan


def test_refused_password_is_in_no_error_and_no_log(cluster: MiniCluster, postgres: Settings, tmp_path: Path) -> None:
    loader = Loader(cluster, replace(postgres, warehouse_password="not-the-password"), tmp_path)

    with pytest.raises(Py4JJavaError) as failure:
        loader.load(customer())

    assert "password authentication failed" in stack_trace_of(failure.value)
    assert "not-the-password" not in stack_trace_of(failure.value) + logs(cluster)


@pytest.mark.full
def test_failed_write_fails_the_job_alone_and_its_row_is_in_no_log(
    loader: Loader, cluster: MiniCluster, warehouse_connection: Connection
) -> None:
    refused = customer(name="Ada", email="ada@secret.example")
    warehouse_connection.execute("ALTER TABLE warehouse.dim_customer ADD CONSTRAINT no_ada CHECK (name <> 'Ada')")
    try:
        with pytest.raises(Py4JJavaError) as failure:
            loader.load(refused)
    finally:
        warehouse_connection.execute("ALTER TABLE warehouse.dim_customer DROP CONSTRAINT no_ada")

    assert "no_ada" in stack_trace_of(failure.value)
    assert "ada@secret.example" not in stack_trace_of(failure.value) + logs(cluster)

    loader.load(refused)

    assert rows(warehouse_connection, "dim_customer", "name, lsn") == [("Ada", refused.lsn)]
    open_connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'millrace.test'"
    assert warehouse_connection.execute(open_connections).fetchone() == (0,)


def stack_trace_of(error: Py4JJavaError) -> str:
    """Return the error with all causes, as the web UI shows it."""
    stack_trace: str = java_gateway.get_gateway().jvm.org.apache.flink.util.ExceptionUtils.stringifyException(
        error.java_exception
    )
    return stack_trace


def logs(cluster: MiniCluster) -> str:
    files = list(cluster.folder.glob("*.log"))
    assert files
    return "".join(file.read_text() for file in files)
