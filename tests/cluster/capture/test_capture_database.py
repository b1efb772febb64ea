"""Faults that change data capture finds in a real PostgreSQL server, those it repairs, and those it refuses."""

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from connectors.postgres.captured_tables import CUSTOMERS, PUBLICATION, SLOT
from connectors.postgres.client import Connection, connect, connecting, shop_address
from connectors.settings import Settings
from local.simulator.shop.database import make_tables
from ops.capture import database_queries as capture_database
from ops.capture import existing_rows
from ops.capture.database_queries import columns_of, look
from ops.capture.database_setup import set_up
from ops.capture.database_state import captured_columns
from ops.capture.faults import database_faults, is_set_up, slot_faults
from ops.capture.obstacles import obstacles
from ops.warehouse import database as warehouse

ROWS = 5
OF_THE_SLOT = "replication slot"
UNREAD = "haven't all been read"

PARTITIONED = (
    "ALTER TABLE shop.customers RENAME TO old",
    "CREATE TABLE shop.customers (LIKE shop.old INCLUDING ALL) PARTITION BY HASH (customer_id)",
    "CREATE TABLE shop.half PARTITION OF shop.customers FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    'CREATE TABLE shop."Other half" PARTITION OF shop.customers FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    "INSERT INTO shop.customers TABLE shop.old",
    "DROP TABLE shop.old",
)


@pytest.fixture
def shop(postgres: Settings) -> Iterator[Connection]:
    """The shop's database with a few rows, set up for capture, without a client that captures."""
    with capture_database.connected(postgres) as connection:
        _clear(connection)
        make_tables(postgres, ROWS)
        set_up(connection)
        try:
            yield connection
        finally:
            _clear(connection)


def _clear(connection: Connection) -> None:
    connection.execute(f"DROP PUBLICATION IF EXISTS {PUBLICATION}".encode())
    for schema in ("shop", "millrace", "kept"):
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


def run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def faults(connection: Connection) -> list[str]:
    """Return the faults of the database, without those that need a connector."""
    found = database_faults(look(connection))
    return [fault for fault in found if OF_THE_SLOT not in fault and UNREAD not in fault]


def test_set_up_leaves_no_fault_but_the_missing_slot(shop: Connection) -> None:
    assert faults(shop) == []
    assert next(slot_faults(look(shop))).startswith("there is no replication slot")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            (f"ALTER PUBLICATION {PUBLICATION} SET (publish = 'insert')",),
            f"the publication {PUBLICATION} leaves out UPDATE, DELETE, TRUNCATE",
        ),
        ((f"ALTER PUBLICATION {PUBLICATION} DROP TABLE shop.customers",), "shop.customers isn't in the publication"),
        (
            (
                f"ALTER PUBLICATION {PUBLICATION} SET TABLE millrace.heartbeats, shop.products, "
                "millrace.products_read, millrace.customers_read, shop.customers WHERE (tier = 'gold')",
            ),
            "the publication leaves out rows of shop.customers that aren't (tier = 'gold'::text)",
        ),
        (
            (
                f"ALTER PUBLICATION {PUBLICATION} DROP TABLE shop.customers",
                f"ALTER PUBLICATION {PUBLICATION} ADD TABLE shop.customers (customer_id, name)",
            ),
            "the publication leaves out email, phone, tier, country, language, time_zone, notifications_opt_out of",
        ),
        (
            (f"ALTER PUBLICATION {PUBLICATION} DROP TABLE millrace.customers_read",),
            "millrace.customers_read, through which rows of shop.customers are read, isn't in the publication",
        ),
        (("ALTER TABLE shop.customers REPLICA IDENTITY DEFAULT",), "shop.customers hasn't REPLICA IDENTITY FULL"),
        (
            ("ALTER TABLE shop.customers DISABLE TRIGGER millrace_refuse_truncate",),
            "the trigger millrace_refuse_truncate of shop.customers is missing or disabled",
        ),
    ],
)
def test_fault_that_loses_changes_is_found_and_repaired(shop: Connection, change: Sequence[str], fault: str) -> None:
    run(shop, change)
    found, was_set_up = faults(shop), is_set_up(CUSTOMERS, look(shop))

    set_up(shop)

    assert [each[: len(fault)] for each in found] == [fault]
    assert not was_set_up
    assert faults(shop) == []
    assert is_set_up(CUSTOMERS, look(shop))


def test_partitioned_table_is_published_as_one_with_guarded_partitions(shop: Connection) -> None:
    run(shop, PARTITIONED)
    run(shop, [f"ALTER PUBLICATION {PUBLICATION} SET (publish_via_partition_root = false)"])
    run(shop, [f"ALTER PUBLICATION {PUBLICATION} ADD TABLE shop.customers"])
    found = faults(shop)

    set_up(shop)

    assert found[0].startswith("shop.customers is partitioned, and its changes are published as those of its")
    assert found[1].startswith("shop.customers, or a partition of it, hasn't REPLICA IDENTITY FULL")
    assert faults(shop) == []
    with pytest.raises(psycopg.errors.RaiseException, match=r"TRUNCATE of shop\.Other half is refused"):
        shop.execute('TRUNCATE shop."Other half"')


def test_changed_set_of_partitions_changes_the_columns_identity(shop: Connection) -> None:
    run(shop, PARTITIONED)
    set_up(shop)
    before = columns_of(shop, CUSTOMERS.name)

    run(shop, ["ALTER TABLE shop.customers DETACH PARTITION shop.half"])

    assert [column.identity for column in before] != [column.identity for column in columns_of(shop, CUSTOMERS.name)]


def test_publication_that_was_incomplete_for_a_moment_changes_identity(shop: Connection) -> None:
    before = capture_database.identities(shop, CUSTOMERS)

    run(shop, [f"ALTER PUBLICATION {PUBLICATION} SET (publish = 'insert')"])
    set_up(shop)
    after = capture_database.identities(shop, CUSTOMERS)
    set_up(shop)

    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    assert capture_database.identities(shop, CUSTOMERS) == after


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        (
            (f"ALTER PUBLICATION {PUBLICATION} DROP TABLE shop.customers", "ALTER TABLE shop.customers SET UNLOGGED"),
            "shop.customers is UNLOGGED",
        ),
        (("CREATE TABLE shop.vips () INHERITS (shop.customers)",), "shop.vips inherit from shop.customers"),
        (
            (
                "ALTER TABLE shop.customers DROP COLUMN tier",
                "ALTER TABLE shop.customers ADD COLUMN tier text GENERATED ALWAYS AS ('gold') STORED",
            ),
            "shop.customers.tier is generated, which PostgreSQL doesn't publish",
        ),
        (
            (
                "ALTER TABLE shop.customers DROP CONSTRAINT customers_pkey",
                "ALTER TABLE shop.customers ADD PRIMARY KEY (customer_id, name)",
            ),
            "shop.customers may have several rows with one customer_id",
        ),
        (
            (
                "ALTER TABLE shop.customers DROP CONSTRAINT customers_pkey",
                "ALTER TABLE shop.customers ALTER COLUMN customer_id TYPE date USING '2026-01-01'",
                "DELETE FROM shop.customers WHERE name <> (SELECT min(name) FROM shop.customers)",
                "ALTER TABLE shop.customers ADD PRIMARY KEY (customer_id)",
            ),
            "shop.customers.customer_id is date, which can't be the key of events",
        ),
        (
            (
                "ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE shop.customers FORCE ROW LEVEL SECURITY",
            ),
            "row-level security of shop.customers is forced",
        ),
        (
            ("CREATE TYPE shop.mood AS ENUM ('sad')", "CREATE DOMAIN shop.own_mood AS shop.mood"),
            "the type shop.own_mood is a domain over an enum, or an enum without labels",
        ),
        (("CREATE TYPE shop.mood AS ENUM ()",), "the type shop.mood is a domain over an enum, or an enum without"),
        (
            ("CREATE DOMAIN shop.text AS integer",),
            "the type of shop.customers.customer_id, text, has a namesake, shop.text, which Debezium 3.6 may take for",
        ),
        (
            (
                "CREATE SCHEMA kept",
                "CREATE DOMAIN kept.tier AS integer",
                "CREATE DOMAIN shop.tier AS text",
                "ALTER TABLE shop.customers ALTER COLUMN tier TYPE shop.tier",
            ),
            "the type of shop.customers.tier, shop.tier, has a namesake, kept.tier, which",
        ),
        (
            ("CREATE TABLE shop.money (cents bigint)", "ALTER TABLE shop.customers ADD COLUMN not_captured money"),
            "the type of shop.customers.not_captured, money, has a namesake, shop.money, which",
        ),
        (
            ("CREATE DOMAIN shop.serial AS text", "ALTER TABLE shop.customers ALTER COLUMN tier TYPE shop.serial"),
            "the type of shop.customers.tier, shop.serial, has a namesake, serial, which",
        ),
        (
            ("ALTER TABLE shop.customers RENAME TO people", "CREATE VIEW shop.customers AS TABLE shop.people"),
            "shop.customers isn't a table with rows of its own",
        ),
        (
            ("ALTER TABLE shop.customers ALTER COLUMN time_zone TYPE text[] USING ARRAY[time_zone]",),
            "shop.customers.time_zone is text[], not text",
        ),
    ],
)
def test_fault_that_cannot_be_repaired_is_an_obstacle(shop: Connection, change: Sequence[str], obstacle: str) -> None:
    run(shop, change)

    assert obstacles(look(shop))[0].startswith(obstacle)


def test_slot_of_our_name_in_another_database_is_an_obstacle(shop: Connection, postgres: Settings) -> None:
    with connecting(warehouse.address(postgres), statement_seconds=30) as elsewhere:
        elsewhere.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
        found = obstacles(look(shop))
        elsewhere.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])

    assert found == [
        f"the replication slot {SLOT} has our name, but belongs to another database, role or plugin: drop it, or "
        "change its owner"
    ]


def test_replicating_client_takes_a_wal_sender(shop: Connection, postgres: Settings) -> None:
    before = look(shop).server.free_senders
    address = shop_address(postgres)

    with connect(address.url, user=address.user, password=address.password, replication="database", autocommit=True):
        during = look(shop).server.free_senders

    assert during == before - 1


def test_char_domains_enums_uuid_and_nullable_columns_raise_no_false_alarm(shop: Connection) -> None:
    run(
        shop,
        [
            "CREATE SCHEMA kept",
            "CREATE DOMAIN kept.text AS integer",
            "CREATE DOMAIN shop.email AS text CHECK (VALUE ~ '@')",
            "CREATE DOMAIN shop.own_email AS shop.email",
            "CREATE TYPE shop.tier AS ENUM ('standard', 'silver', 'gold')",
            "ALTER TABLE shop.customers DROP CONSTRAINT customers_tier_check",
            "ALTER TABLE shop.customers DROP CONSTRAINT customers_country_check",
            "ALTER TABLE shop.customers ALTER COLUMN country TYPE char(2), ALTER COLUMN email TYPE shop.own_email, "
            "ALTER COLUMN tier TYPE shop.tier USING tier::shop.tier, "
            "ALTER COLUMN customer_id TYPE uuid USING md5(customer_id)::uuid",
        ],
    )

    set_up(shop)

    assert faults(shop) == []


@pytest.mark.parametrize(
    "key",
    ["text", "varchar(40)", "char(20)", "uuid", "bigint", "shop.numbers", "shop.number"],
)
def test_rows_are_read_in_batches_by_every_type_of_key(
    shop: Connection, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing_rows, "BATCH_ROWS", 2)
    as_key = "md5(customer_id)::uuid" if key in ("uuid", "shop.number") else f"right(customer_id, 2)::{key}"
    run(
        shop,
        [
            "CREATE TYPE shop.numbers AS ENUM ('03', '02', '00', '01', '04')",
            "CREATE DOMAIN shop.number AS uuid",
            f"ALTER TABLE shop.customers ALTER COLUMN customer_id TYPE {key} USING {as_key}",
        ],
    )
    set_up(shop)
    keys = [key for (key,) in shop.execute("SELECT format('%s', customer_id) FROM shop.customers")]

    rows = existing_rows.relay_rows(shop, CUSTOMERS, captured_columns(CUSTOMERS, columns_of(shop, CUSTOMERS.name)))

    assert rows == ROWS
    assert not [each for each in obstacles(look(shop)) if "keyed" in each]
    assert list(existing_rows.absent(shop, CUSTOMERS, {"gone": b"", **dict.fromkeys(keys, b"")})) == ["gone"]
