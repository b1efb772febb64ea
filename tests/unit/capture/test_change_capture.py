"""Captured tables and columns, which follow from the events, and faults found in a snapshot of the state."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.postgres.captured_tables import (
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
from events import RowVersion
from local.simulator.shop.rows import CUSTOMERS as SHOP_CUSTOMERS
from local.simulator.shop.rows import PRODUCTS as SHOP_PRODUCTS
from ops.capture.connector import RealConnector, connector_faults
from ops.capture.database_setup import GUARDS
from ops.capture.database_state import (
    OPERATIONS,
    CaptureDatabase,
    Publication,
    Published,
    Reading,
    RealColumn,
    RealTable,
    Server,
    Slot,
)
from ops.capture.faults import database_faults, heartbeat_faults, must_read
from ops.capture.obstacles import column_notes, obstacles, shortages

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONFIG = connector_config(Settings())
CONNECTOR = RealConnector("RUNNING", "worker:8083", (("RUNNING", ""),), CONFIG)


TYPES = {"text": "text", "integer": "bigint", "boolean": "boolean"}


def real_column(name: str, type_: str, base: str = "") -> RealColumn:
    """A column that can't be NULL."""
    return RealColumn(name, type_, base or type_, is_nullable=False, is_generated=False, identity=f"1 {name}")


def real_table(table: CapturedTable) -> RealTable:
    """A table as it should be."""
    columns = tuple(real_column(column.name, TYPES[column.kinds[0]]) for column in table.columns)
    names = frozenset(column.name for column in columns)
    return RealTable(
        columns=columns,
        primary_key=(table.primary_key,),
        unique_columns=frozenset({table.primary_key}),
        what="table",
        partitions=(),
        heirs=(),
        is_logged=True,
        is_ours=True,
        hides_rows=False,
        is_identified_by_all=True,
        guards=frozenset(guard.name for guard in GUARDS),
        published=Published(names, "", "publication 1"),
        relay=Published(names | {"op"}, "", "publication 1"),
        reading=Reading(frozenset({"publication 1", *(column.identity for column in columns)}), 10, NOW),
    )


DATABASE = CaptureDatabase(
    tables={table.name: real_table(table) for table in CAPTURED},
    publication=Publication(frozenset(OPERATIONS), is_of_all_tables=False, publishes_partitions=False),
    server=Server(
        "logical", free_slots=1, free_senders=0, may_replicate=True, may_create=True, odd_enums=(), foreign=()
    ),
    slot=Slot(is_active=True, is_lost=False, retained_bytes=1, unread_bytes=0, limit="1GB"),
    is_being_applied=False,
    now=NOW,
)


def customers(change: Callable[[RealTable], RealTable]) -> CaptureDatabase:
    """A database whose customers are different."""
    return replace(DATABASE, tables=DATABASE.tables | {CUSTOMERS.name: change(DATABASE.tables[CUSTOMERS.name])})


def without(name: str) -> Callable[[RealTable], RealTable]:
    return lambda table: replace(table, columns=tuple(column for column in table.columns if column.name != name))


def with_column(name: str, **changes: Any) -> Callable[[RealTable], RealTable]:
    """A table one of whose columns is different."""
    return lambda table: replace(
        table, columns=tuple(replace(each, **changes) if each.name == name else each for each in table.columns)
    )


def with_type(name: str, type_: str, base: str = "") -> Callable[[RealTable], RealTable]:
    return with_column(name, type=type_, base=base or type_)


def with_identity(name: str, identity: str) -> Callable[[RealTable], RealTable]:
    return with_column(name, identity=identity)


def changed(**changes: Any) -> Callable[[RealTable], RealTable]:
    return lambda table: replace(table, **changes)


def test_captured_tables_have_the_columns_of_the_shop() -> None:
    captured = {table.name: tuple(column.name for column in table.columns) for table in SHOP_TABLES}

    assert captured == {table.name: table.columns for table in (SHOP_CUSTOMERS, SHOP_PRODUCTS)}


def test_column_fits_every_type_its_field_can_hold() -> None:
    columns = {column.name: column for column in (*CUSTOMERS.columns, *PRODUCTS.columns)}

    assert columns["tier"] == Column("tier", ("text",), is_required=True, is_nullable=False)
    assert columns["phone"] == Column("phone", ("text",), is_required=False, is_nullable=True)
    assert columns["stock"] == Column("stock", ("integer",), is_required=True, is_nullable=False)
    assert columns["notifications_opt_out"] == Column(
        "notifications_opt_out", ("boolean",), is_required=True, is_nullable=False
    )


def test_field_that_no_column_can_fill_is_refused_by_name() -> None:
    class Tagged(RowVersion, frozen=True, kw_only=True):
        """A row."""

        tags: tuple[str, ...]
        """A type that no column can have."""

    with pytest.raises(TypeError, match=r"Tagged\.tags: a column's field must be str, int, float or bool"):
        _ = CapturedTable("shop.tagged", replace(PRODUCTS.topic, event=Tagged)).columns


def test_connector_reads_only_the_declared_tables_and_columns() -> None:
    tables = CONFIG["table.include.list"].split(",")
    columns = CONFIG["column.include.list"].split(",")

    for name, names in published_tables().items():
        assert [bool(re.fullmatch(pattern, name)) for pattern in tables].count(True) == 1
        for column in names:
            assert [bool(re.fullmatch(pattern, f"{name}.{column}")) for pattern in columns].count(True) == 1
    assert not any(re.fullmatch(pattern, "shop.runs") for pattern in tables)
    assert not any(re.fullmatch(pattern, "shop.customers.points") for pattern in columns)


def test_connector_configuration_has_the_address_and_no_secret() -> None:
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


def test_database_as_declared_has_no_faults() -> None:
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
            "the connector's task failed: E: no space; once that is fixed",
        ),
        (
            replace(CONNECTOR, config=CONFIG | {"tasks.max": "2", "extra": "x"}),
            "the connector's configuration isn't the declared one in extra, tasks.max",
        ),
    ],
)
def test_fault_of_the_connector_is_reported(connector: RealConnector | None, fault: str) -> None:
    [found] = connector_faults(connector, CONFIG)

    assert found.startswith(fault)


SLOT, PUBLICATION = DATABASE.slot, DATABASE.publication
NAMES = frozenset(column.name for column in CUSTOMERS.columns)
assert SLOT
assert PUBLICATION


def on_server(**changes: Any) -> CaptureDatabase:
    return replace(DATABASE, server=replace(DATABASE.server, **changes))


@pytest.mark.parametrize(
    ("database", "fault"),
    [
        (replace(DATABASE, publication=None), "there is no publication millrace_shop"),
        (
            replace(DATABASE, publication=replace(PUBLICATION, operations=frozenset({"insert", "truncate"}))),
            "the publication millrace_shop leaves out UPDATE, DELETE, so such changes get lost",
        ),
        (replace(DATABASE, slot=None), "there is no replication slot millrace_shop"),
        (replace(DATABASE, slot=replace(SLOT, is_lost=True)), "the replication slot was invalidated"),
        (replace(DATABASE, slot=replace(SLOT, is_active=False)), "no client reads the replication slot"),
        (
            replace(DATABASE, tables={n: t for n, t in DATABASE.tables.items() if n != HEARTBEATS.name}),
            "there is no table millrace.heartbeats",
        ),
        (customers(changed(published=None)), "shop.customers isn't in the publication"),
        (
            replace(
                customers(changed(published=None, what="partitioned table", partitions=("shop.customers_1",))),
                publication=replace(PUBLICATION, publishes_partitions=True),
            ),
            "shop.customers is partitioned, and its changes are published as those of its partitions",
        ),
        (
            customers(changed(published=Published(NAMES, "(tier = 'gold')", "publication 1"))),
            "the publication leaves out rows of shop.customers that aren't (tier = 'gold')",
        ),
        (
            customers(changed(published=Published(NAMES - {"tier"}, "", "publication 1"))),
            "the publication leaves out tier of shop.customers",
        ),
        (customers(changed(relay=None)), "millrace.customers_read, through which rows of shop.customers are read"),
        (customers(changed(is_identified_by_all=False)), "shop.customers hasn't REPLICA IDENTITY FULL"),
        (
            customers(lambda t: replace(t, guards=frozenset({"millrace_row_by_row"}))),
            "the trigger millrace_refuse_truncate of shop.customers is missing or disabled",
        ),
        (customers(changed(primary_key=())), "the primary key of shop.customers isn't customer_id"),
        (customers(without("tier")), "shop.customers has no column tier"),
        (customers(with_type("tier", "integer")), "shop.customers.tier is integer, not text"),
        (customers(with_type("tier", "text[]", "array")), "shop.customers.tier is text[], not text"),
        (customers(with_type("tier", "shop.pair")), "shop.customers.tier is shop.pair, not text"),
        (customers(lambda t: replace(t, reading=None)), "the rows that were in shop.customers before haven't all"),
        (
            customers(with_identity("tier", "2 tier")),
            "shop.customers was rewritten or altered, and its values of tier",
        ),
    ],
)
def test_fault_of_the_database_is_reported(database: CaptureDatabase, fault: str) -> None:
    [found] = database_faults(database)

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("database", "obstacle"),
    [
        (on_server(wal_level="replica"), "the server's wal_level is replica"),
        (on_server(may_replicate=False), "our role in the shop's database may not replicate"),
        (on_server(may_create=False), "our role may not create a schema or a publication"),
        (
            on_server(foreign=("the schema millrace",)),
            "the schema millrace has our name, but belongs to another database",
        ),
        (on_server(odd_enums=("shop.mood_of_ours",)), "the type shop.mood_of_ours is a domain over an enum"),
        (
            customers(with_column("tier", namesakes=("shop.text",))),
            "the type of shop.customers.tier, text, has a namesake, shop.text, which Debezium",
        ),
        (customers(changed(what="other")), "shop.customers isn't a table with rows of its own"),
        (customers(changed(is_logged=False)), "shop.customers is UNLOGGED"),
        (
            customers(changed(is_logged=False, what="partitioned table", partitions=("shop.customers_1",))),
            "shop.customers, or a partition of it, is UNLOGGED",
        ),
        (customers(changed(heirs=("shop.vips",))), "shop.vips inherit from shop.customers"),
        (customers(changed(is_ours=False)), "shop.customers isn't owned by our role"),
        (customers(changed(hides_rows=True)), "row-level security of shop.customers is forced"),
        (customers(with_type("customer_id", "json")), "shop.customers.customer_id is json, which can't be the key"),
        (
            customers(changed(unique_columns=frozenset(), primary_key=("a", "b"))),
            "shop.customers may have several rows",
        ),
        (
            customers(with_column("tier", is_generated=True)),
            "shop.customers.tier is generated, which PostgreSQL doesn't",
        ),
    ],
)
def test_obstacle_is_refused_by_apply_and_reported_by_status(database: CaptureDatabase, obstacle: str) -> None:
    [found] = obstacles(database)

    assert found.startswith(obstacle)
    assert database_faults(database) == [found]


@pytest.mark.parametrize(
    ("slot", "free_slots", "free_senders", "lacking"),
    [
        (None, 1, 1, []),
        (None, 0, 1, ["no replication slot left"]),
        (None, 1, 0, ["no WAL sender left"]),
        (None, 0, 0, ["no replication slot left", "no WAL sender left"]),
        (replace(SLOT, is_active=False), 0, 1, []),
        (replace(SLOT, is_active=False), 0, 0, ["no WAL sender left"]),
        (SLOT, 0, 0, []),
    ],
)
def test_apply_without_its_slot_needs_a_free_slot_and_sender(
    slot: Slot | None, free_slots: int, free_senders: int, lacking: list[str]
) -> None:
    server = replace(DATABASE.server, free_slots=free_slots, free_senders=free_senders)
    database = replace(DATABASE, slot=slot, server=server)

    found = list(shortages(database))

    assert [each.removeprefix("the server has ").partition(":")[0] for each in found] == lacking


@pytest.mark.parametrize(
    "change",
    [
        with_type("name", "character varying(80)", "character varying"),
        with_type("country", "character(2)", "character"),
        with_type("email", "shop.email", "text"),
        with_type("tier", "shop.tier", "enum"),
        with_type("customer_id", "uuid"),
        without("phone"),
        with_column("phone", is_generated=True),
    ],
)
def test_column_that_an_event_can_hold_or_lack_is_no_fault(change: Callable[[RealTable], RealTable]) -> None:
    assert database_faults(customers(change)) == []


def test_column_that_is_not_captured_is_noted() -> None:
    added = real_column("points", "integer")
    real = without("phone")(with_column("email", is_nullable=True)(DATABASE.tables[CUSTOMERS.name]))

    assert list(column_notes(CUSTOMERS, replace(real, columns=(*real.columns, added)))) == [
        "shop.customers.points isn't captured, since CustomerVersion doesn't declare it",
        "shop.customers.email may be NULL, and such a row becomes a dead letter",
        "shop.customers has no column phone: CustomerVersion lacks it",
    ]


def test_generated_column_that_an_event_can_lack_is_noted() -> None:
    real = with_column("phone", is_generated=True)(DATABASE.tables[CUSTOMERS.name])

    assert list(column_notes(CUSTOMERS, real)) == [
        "shop.customers.phone is generated, so it isn't published: CustomerVersion lacks it"
    ]


def test_replaced_column_makes_apply_read_the_rows_again() -> None:
    assert must_read(CUSTOMERS, customers(with_identity("tier", "2 tier")))
    assert not must_read(CUSTOMERS, customers(without("tier")))


def test_publication_altered_and_restored_is_a_fault() -> None:
    published = Published(NAMES, "", "publication 2")
    altered = customers(changed(published=published))
    before_that_was_noted = customers(
        lambda t: replace(t, published=published, reading=Reading(frozenset(c.identity for c in t.columns), 10, NOW))
    )

    assert database_faults(altered)[0].startswith("the publication was altered after the rows of shop.customers were")
    assert must_read(CUSTOMERS, altered)
    assert not must_read(CUSTOMERS, before_that_was_noted)


def test_rows_being_read_by_apply_are_no_fault() -> None:
    reading = replace(customers(lambda table: replace(table, reading=None)), is_being_applied=True)

    assert database_faults(reading) == []
    assert must_read(CUSTOMERS, reading)


def test_running_connector_without_heartbeats_is_a_fault() -> None:
    assert heartbeat_faults(None, NOW)
    assert heartbeat_faults(NOW - timedelta(seconds=31), NOW) == [
        "changes don't arrive: the last heartbeat in db-changes.heartbeats is of 31 s ago, "
        "and there should be one every 1 s"
    ]
