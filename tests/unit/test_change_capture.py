"""What is captured follows from the events, and what is wrong with capturing is said from what is there."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.change_capture import (
    CAPTURED,
    CUSTOMERS,
    HEARTBEATS,
    PRODUCTS,
    SHOP_TABLES,
    CapturedTable,
    Column,
    connector_config,
    published_tables,
)
from connectors.settings import Settings
from local.services.shop.rows import CUSTOMERS as SHOP_CUSTOMERS
from local.services.shop.rows import PRODUCTS as SHOP_PRODUCTS
from ops.capture_database import GUARDS, CaptureDatabase, Reading, RealColumn, RealTable, Slot
from ops.capture_faults import (
    RealConnector,
    column_notes,
    connector_faults,
    database_faults,
    heartbeat_faults,
    must_read,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONFIG = connector_config(Settings())
CONNECTOR = RealConnector("RUNNING", "worker:8083", (("RUNNING", ""),), CONFIG)


def real_table(table: CapturedTable) -> RealTable:
    """A table as it should be."""
    columns = tuple(RealColumn(column.name, column.types[0], f"1 {column.name}") for column in table.columns)
    return RealTable(
        columns=columns,
        primary_key=(table.primary_key,),
        is_identified_by_all=True,
        guards=frozenset(guard.name for guard in GUARDS),
        is_published=True,
        reading=Reading(frozenset(column.identity for column in columns), 10, NOW),
    )


DATABASE = CaptureDatabase(
    tables={table.name: real_table(table) for table in CAPTURED},
    is_publication_there=True,
    slot=Slot(is_active=True, is_lost=False, retained_bytes=1, unread_bytes=0, limit="1GB"),
    is_being_applied=False,
    now=NOW,
)


def customers(change: Callable[[RealTable], RealTable]) -> CaptureDatabase:
    """A database whose customers are different."""
    return replace(DATABASE, tables=DATABASE.tables | {CUSTOMERS.name: change(DATABASE.tables[CUSTOMERS.name])})


def without(name: str) -> Callable[[RealTable], RealTable]:
    return lambda table: replace(table, columns=tuple(column for column in table.columns if column.name != name))


def with_type(name: str, type_: str) -> Callable[[RealTable], RealTable]:
    return lambda table: replace(
        table, columns=tuple(replace(each, type=type_) if each.name == name else each for each in table.columns)
    )


def with_identity(name: str, identity: str) -> Callable[[RealTable], RealTable]:
    return lambda table: replace(
        table, columns=tuple(replace(each, identity=identity) if each.name == name else each for each in table.columns)
    )


def test_what_is_captured_is_what_the_shop_has() -> None:
    captured = {table.name: tuple(column.name for column in table.columns) for table in SHOP_TABLES}

    assert captured == {table.name: table.columns for table in (SHOP_CUSTOMERS, SHOP_PRODUCTS)}


def test_a_column_may_be_what_its_field_can_hold() -> None:
    columns = {column.name: column for column in (*CUSTOMERS.columns, *PRODUCTS.columns)}

    assert columns["tier"] == Column("tier", ("text", "character varying"), is_required=True)
    assert columns["phone"] == Column("phone", ("text", "character varying"), is_required=False)
    assert columns["stock"] == Column("stock", ("bigint", "integer", "smallint"), is_required=True)
    assert columns["notifications_opt_out"] == Column("notifications_opt_out", ("boolean",), is_required=True)


def test_the_connector_reads_these_tables_and_columns_and_no_others() -> None:
    tables = CONFIG["table.include.list"].split(",")
    columns = CONFIG["column.include.list"].split(",")

    for name, names in published_tables().items():
        assert [bool(re.fullmatch(pattern, name)) for pattern in tables].count(True) == 1
        for column in names:
            assert [bool(re.fullmatch(pattern, f"{name}.{column}")) for pattern in columns].count(True) == 1
    assert not any(re.fullmatch(pattern, "shop.runs") for pattern in tables)
    assert not any(re.fullmatch(pattern, "shop.customers.points") for pattern in columns)


def test_the_connector_is_told_where_the_database_is_and_no_secret() -> None:
    settings = replace(
        Settings(),
        shop_database_url="postgresql://db.example/orders",
        shop_database_user="reader",
        shop_database_password="s3",
    )
    config = connector_config(settings)

    assert (config["database.hostname"], config["database.port"], config["database.dbname"]) == (
        "db.example",
        "5432",
        "orders",
    )
    assert config["database.password"] == "${env:MILLRACE_SHOP_DATABASE_PASSWORD}"
    assert not {"s3", "reader"} & set(config.values())


def test_nothing_is_wrong_where_all_is_as_it_should_be() -> None:
    assert connector_faults(CONNECTOR, CONFIG) == []
    assert database_faults(DATABASE) == []
    assert heartbeat_faults(NOW - timedelta(seconds=30), NOW) == []
    assert not must_read(CUSTOMERS, DATABASE)


@pytest.mark.parametrize(
    ("connector", "fault"),
    [
        (None, "there is no connector shop"),
        (replace(CONNECTOR, state="PAUSED"), "the connector is PAUSED"),
        (replace(CONNECTOR, tasks=()), "the connector runs, but its task doesn't"),
        (replace(CONNECTOR, tasks=(("UNASSIGNED", ""),)), "the connector's task is UNASSIGNED"),
        (
            replace(
                CONNECTOR, tasks=(("FAILED", "E: retry\n\tat x\nCaused by: E: in vain\nCaused by: E: no space\n"),)
            ),
            "the connector's task failed: E: no space; when that is mended",
        ),
        (
            replace(CONNECTOR, config=CONFIG | {"tasks.max": "2", "extra": "x"}),
            "the connector's configuration isn't the declared one in extra, tasks.max",
        ),
    ],
)
def test_what_is_wrong_with_the_connector_is_said(connector: RealConnector | None, fault: str) -> None:
    [found] = connector_faults(connector, CONFIG)

    assert found.startswith(fault)


SLOT = DATABASE.slot
assert SLOT


@pytest.mark.parametrize(
    ("database", "fault"),
    [
        (replace(DATABASE, is_publication_there=False), "there is no publication millrace_shop"),
        (replace(DATABASE, slot=None), "there is no replication slot millrace_shop"),
        (replace(DATABASE, slot=replace(SLOT, is_lost=True)), "the replication slot was invalidated"),
        (replace(DATABASE, slot=replace(SLOT, is_active=False)), "nobody reads the replication slot"),
        (
            replace(DATABASE, tables={n: t for n, t in DATABASE.tables.items() if n != HEARTBEATS.name}),
            "there is no table millrace.heartbeats",
        ),
        (customers(lambda t: replace(t, is_published=False)), "shop.customers isn't in the publication"),
        (customers(lambda t: replace(t, is_identified_by_all=False)), "shop.customers hasn't REPLICA IDENTITY FULL"),
        (
            customers(lambda t: replace(t, guards=frozenset({"millrace_row_by_row"}))),
            "the trigger millrace_refuse_truncate of shop.customers is missing or disabled",
        ),
        (customers(lambda t: replace(t, primary_key=())), "the primary key of shop.customers isn't customer_id"),
        (customers(without("tier")), "shop.customers has no column tier"),
        (customers(with_type("tier", "integer")), "shop.customers.tier is integer, not text"),
        (customers(lambda t: replace(t, reading=None)), "the rows that were in shop.customers before haven't all"),
        (
            customers(with_identity("tier", "2 tier")),
            "shop.customers was rewritten or altered, and what its rows have in tier",
        ),
    ],
)
def test_what_is_wrong_in_the_database_is_said(database: CaptureDatabase, fault: str) -> None:
    [found] = database_faults(database)

    assert found.startswith(fault)


@pytest.mark.parametrize("change", [with_type("name", "character varying(80)"), without("phone")])
def test_what_an_event_can_hold_or_do_without_is_no_fault(change: Callable[[RealTable], RealTable]) -> None:
    assert database_faults(customers(change)) == []


def test_columns_that_are_not_captured_are_noted() -> None:
    added = RealColumn("points", "integer", "1 points")
    real = without("phone")(DATABASE.tables[CUSTOMERS.name])

    assert list(column_notes(CUSTOMERS, replace(real, columns=(*real.columns, added)))) == [
        "shop.customers.points isn't captured, since CustomerVersion doesn't declare it",
        "shop.customers has no column phone: CustomerVersion goes without it",
    ]


def test_rows_are_read_again_when_a_captured_column_was_replaced() -> None:
    assert must_read(CUSTOMERS, customers(with_identity("tier", "2 tier")))
    assert not must_read(CUSTOMERS, customers(without("tier")))


def test_rows_that_somebody_reads_now_are_no_fault() -> None:
    reading = replace(customers(lambda table: replace(table, reading=None)), is_being_applied=True)

    assert database_faults(reading) == []
    assert must_read(CUSTOMERS, reading)


def test_a_running_connector_from_which_nothing_comes_is_not_healthy() -> None:
    assert heartbeat_faults(None, NOW)
    assert heartbeat_faults(NOW - timedelta(seconds=31), NOW) == [
        "changes don't come through: the last heartbeat in db-changes.heartbeats is of 31 s ago, "
        "and there should be one every 5 s"
    ]
