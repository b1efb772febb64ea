"""Changes in the shop's database become events, also when PostgreSQL or Kafka Connect is killed or altered."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from connectors.kafka.topics import CUSTOMER_CHANGES
from connectors.postgres.captured_tables import CONNECTOR, PUBLICATION, SLOT
from connectors.settings import Settings
from local.simulator.shop.database import connect, make_tables
from local.simulator.shop.rows import ProductRow
from local.stack.supervisor import Stack
from ops.capture import apply as change_capture
from ops.capture.apply import plan
from ops.capture.commands import cdc
from ops.capture.connect_rest import ask
from ops.capture.progress import CaptureError
from ops.capture.status import status
from ops.topics import apply as topics
from tests.e2e.capture.captured import (
    INTERLEAVED,
    Stream,
    changes_in,
    changes_of,
    copies_agree,
    every_customer_touched,
    interleaved_transactions,
    make_product,
    newest_rows,
    shop_at_work,
)
from tests.e2e.deployment import wait_for

CUSTOMERS = 300
Connection = psycopg.Connection[Any]

NEW_CUSTOMER = """
INSERT INTO shop.customers VALUES (%s, 'Ada Byron', 'ada@example.com', NULL, 'gold', 'GB', 'en', 'Europe/London', true)
"""

ROWS_BY_TEXT = b"SELECT product_id::text, name, category, price_minor, currency, stock FROM shop.products"


@dataclass(frozen=True)
class Alteration:
    """A change of a table's columns."""

    change: str
    undo: str
    fault: str
    """Text that `cdc status` reports."""


HARMFUL = (
    Alteration(
        change="ALTER TABLE shop.customers DROP COLUMN tier",
        undo="ALTER TABLE shop.customers ADD COLUMN tier text NOT NULL DEFAULT 'gold'",
        fault="shop.customers has no column tier",
    ),
    Alteration(
        change="ALTER TABLE shop.customers ALTER COLUMN notifications_opt_out DROP DEFAULT, "
        "ALTER COLUMN notifications_opt_out TYPE text",
        undo="ALTER TABLE shop.customers ALTER COLUMN notifications_opt_out TYPE boolean "
        "USING NOT notifications_opt_out::boolean, ALTER COLUMN notifications_opt_out SET DEFAULT false",
        fault="shop.customers.notifications_opt_out is text, not boolean",
    ),
)


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001
    """Settings of a shop's database whose changes are captured."""
    settings = Settings.from_environment()
    topics.apply(settings)
    make_tables(settings, CUSTOMERS)
    change_capture.apply(settings)
    return settings


@pytest.fixture
def shop(settings: Settings) -> Iterator[Connection]:
    """The shop's database; each statement is a transaction."""
    with connect(settings) as connection:
        yield connection


@pytest.fixture
def stream(settings: Settings) -> Stream:
    """Records that are captured from now on."""
    return Stream(settings)


@contextmanager
def altered(settings: Settings, connection: Connection, change: str, undo: str) -> Iterator[None]:
    """Alter a table while the block runs, then undo the change and apply capture again."""
    connection.execute(change.encode())
    try:
        yield
    finally:
        connection.execute(undo.encode())
        change_capture.apply(settings)


def healthy(settings: Settings) -> bool:
    return not status(settings).faults


def faults(settings: Settings) -> str:
    return "\n".join(status(settings).faults)


def database_time_ms(connection: Connection) -> int:
    row = connection.execute("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row
    return int(row[0])


def test_row_change_is_an_event_with_key_time_and_position(shop: Connection, stream: Stream) -> None:
    began_at = database_time_ms(shop)

    shop.execute(NEW_CUSTOMER, ["c-new"])
    shop.execute("UPDATE shop.customers SET tier = 'silver', phone = '+441' WHERE customer_id = 'c-new'")
    shop.execute("DELETE FROM shop.customers WHERE customer_id = 'c-new'")

    records = stream.of("c-new")
    ended_at = database_time_ms(shop)
    created = {
        "event_type": "customer_version",
        "op": "c",
        "deleted": False,
        "customer_id": "c-new",
        "name": "Ada Byron",
        "email": "ada@example.com",
        "phone": None,
        "tier": "gold",
        "country": "GB",
        "language": "en",
        "time_zone": "Europe/London",
        "notifications_opt_out": True,
    }
    updated = created | {"op": "u", "tier": "silver", "phone": "+441"}
    deleted = updated | {"op": "d", "deleted": True}
    positions = [record.body["lsn"] for record in records]
    assert all(record.is_event for record in records)
    assert [record.body for record in records] == [
        {"event_id": f"customers-c-new-{lsn}", "event_time": record.timestamp, "lsn": lsn} | body
        for record, lsn, body in zip(records, positions, (created, updated, deleted), strict=True)
    ]
    assert positions == sorted(set(positions))
    assert began_at <= records[0].timestamp <= records[1].timestamp <= records[2].timestamp <= ended_at


def test_rolled_back_transaction_emits_no_event(shop: Connection, stream: Stream) -> None:
    with shop.transaction(force_rollback=True):
        make_product(shop, "p-never")

    assert stream.of("p-never") == []


def test_changed_primary_key_is_a_deletion_and_a_creation(shop: Connection, stream: Stream) -> None:
    shop.execute(NEW_CUSTOMER, ["c-before"])
    shop.execute("UPDATE shop.customers SET customer_id = 'c-after' WHERE customer_id = 'c-before'")

    records = [record for record in stream.records() if record.key in ("c-before", "c-after")]
    shop.execute("DELETE FROM shop.customers WHERE customer_id = 'c-after'")

    assert all(record.is_event for record in records)
    assert [(record.key, record.body["op"]) for record in records if record.key == "c-before"] == [
        ("c-before", "c"),
        ("c-before", "d"),
    ]
    assert [(record.key, record.body["op"]) for record in records if record.key == "c-after"] == [("c-after", "c")]


def test_each_row_of_a_copy_has_a_position_of_its_own(shop: Connection, stream: Stream) -> None:
    """Check the positions: with equal ones, a crash in the middle of the copy would lose some rows."""
    with shop.cursor().copy("COPY shop.products FROM STDIN") as copy:
        for number in range(500):
            copy.write_row((f"p-copied-{number}", "a thing", "books", 100, "EUR", 1))

    records = [record for record in stream.records() if record.key.startswith("p-copied-")]
    shop.execute("DELETE FROM shop.products WHERE product_id LIKE 'p-copied-%'")

    assert len(records) == 500
    assert len({record.body["lsn"] for record in records}) == 500


def test_truncate_is_refused_and_the_error_names_delete(shop: Connection, settings: Settings) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match=r"TRUNCATE of shop\.products is refused[\s\S]*DELETE FROM"):
        shop.execute("TRUNCATE shop.products")

    assert healthy(settings)


@pytest.mark.full
def test_unguarded_truncate_is_no_event_and_apply_emits_the_deletions(
    shop: Connection, stream: Stream, settings: Settings
) -> None:
    shop.execute("CREATE TABLE shop.saved AS TABLE shop.products")
    shop.execute("ALTER TABLE shop.products DISABLE TRIGGER ALL")
    try:
        shop.execute("TRUNCATE shop.products")
        [truncate] = [record for record in stream.records() if record.body["op"] == "t"]
        reported = faults(settings)
        change_capture.apply(settings)
        agreed = copies_agree(settings)
    finally:
        change_capture.apply(settings)
        shop.execute("INSERT INTO shop.products TABLE shop.saved")
        shop.execute("DROP TABLE shop.saved")

    assert not truncate.is_event
    assert truncate.body["problem"] == "TRUNCATE of shop.products: which rows are gone isn't known"
    assert "the trigger millrace_refuse_truncate of shop.products is missing or disabled" in reported
    assert agreed
    assert copies_agree(settings)


def test_invalid_row_is_a_record_with_the_reason_and_capture_continues(
    shop: Connection, stream: Stream, settings: Settings
) -> None:
    make_product(shop, "p-huge")
    shop.execute("UPDATE shop.products SET name = repeat('x', 2000000) WHERE product_id = 'p-huge'")
    shop.execute("UPDATE shop.products SET name = 'small' WHERE product_id = 'p-huge'")
    shop.execute("UPDATE shop.products SET category = '' WHERE product_id = 'p-huge'")
    shop.execute("UPDATE shop.products SET category = 'toys' WHERE product_id = 'p-huge'")
    shop.execute("DELETE FROM shop.products WHERE product_id = 'p-huge'")
    shop.execute("SELECT pg_logical_emit_message(true, 'of somebody else', 'no change')")

    records = stream.of("p-huge")

    assert [record.is_event for record in records] == [True, False, True, False, True, True]
    assert "characters, more than fit into a record" in records[1].body["problem"]
    assert healthy(settings)


@pytest.mark.full
def test_harmless_schema_changes_under_load_lose_no_change(
    shop: Connection, stream: Stream, settings: Settings, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    with (
        altered(
            settings,
            shop,
            "ALTER TABLE shop.customers ADD COLUMN points integer NOT NULL DEFAULT 7",
            "ALTER TABLE shop.customers DROP COLUMN points",
        ),
        altered(
            settings,
            shop,
            "ALTER TABLE shop.products ALTER COLUMN stock TYPE bigint",
            "ALTER TABLE shop.products ALTER COLUMN stock TYPE integer",
        ),
        shop_at_work(settings, ledger),
    ):
        wait_for("changes", lambda: stream.has_grown_by(500))
        shop.execute("ALTER TABLE shop.products ADD COLUMN weight numeric")
        shop.execute("ALTER TABLE shop.products DROP COLUMN weight")
        notes, reported = status(settings).notes, faults(settings)
        wait_for("more changes", lambda: stream.has_grown_by(1000))

    records = stream.records()
    assert all(record.is_event for record in records)
    assert changes_of(records) == changes_in(ledger)
    assert notes == ("shop.customers.points isn't captured, since CustomerVersion doesn't declare it",)
    assert "shop.products was rewritten or altered" in reported
    assert healthy(settings)
    assert copies_agree(settings)


@pytest.mark.parametrize(
    "alteration",
    [HARMFUL[0], *(pytest.param(each, marks=pytest.mark.full) for each in HARMFUL[1:])],
    ids=lambda alteration: alteration.fault,
)
def test_changes_are_captured_while_a_column_is_missing_or_of_another_type(
    shop: Connection, stream: Stream, settings: Settings, alteration: Alteration
) -> None:
    with every_customer_touched(settings) as touched:
        with altered(settings, shop, alteration.change, alteration.undo):
            before = sum(touched.values())
            wait_for("changes", lambda: sum(touched.values()) > before + 100)
            reported = faults(settings)
        after = sum(touched.values())
        wait_for("more changes", lambda: sum(touched.values()) > after + 100)

    records = stream.records()
    assert alteration.fault in reported
    assert Counter(record.key for record in records if record.body["op"] == "u") == Counter(touched)
    assert len([record for record in records if not record.is_event]) >= 100
    assert healthy(settings)
    assert copies_agree(settings)


@pytest.mark.full
def test_optional_column_can_be_dropped(shop: Connection, stream: Stream, settings: Settings) -> None:
    with altered(
        settings,
        shop,
        "ALTER TABLE shop.customers DROP COLUMN phone",
        "ALTER TABLE shop.customers ADD COLUMN phone text DEFAULT '+49'",
    ):
        shop.execute("UPDATE shop.customers SET tier = tier")
        records = [record for record in stream.records() if record.topic == CUSTOMER_CHANGES.name]
        notes, reported = status(settings).notes, faults(settings)

    assert len(records) >= CUSTOMERS // 2
    assert all(record.is_event for record in records)
    assert all("phone" not in record.body for record in records)
    assert notes == ("shop.customers has no column phone: CustomerVersion lacks it",)
    assert reported == ""
    assert copies_agree(settings)


@pytest.mark.full
def test_rows_read_during_changes_never_overtake_a_newer_version(
    shop: Connection, stream: Stream, settings: Settings, tmp_path: Path
) -> None:
    with shop_at_work(settings, tmp_path / "ledger", rate=100):
        for _ in range(3):
            shop.execute("DELETE FROM millrace.readings")
            change_capture.apply(settings)

    records = stream.records()
    read = [record for record in records if record.body["op"] == "r"]
    assert len(read) > 2 * CUSTOMERS
    by_key: dict[str, list[tuple[int, int]]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append((record.timestamp, record.body["lsn"]))
    assert all(versions == sorted(versions) for versions in by_key.values())
    assert changes_of(records) == changes_in(tmp_path / "ledger")
    assert copies_agree(settings)


def test_killed_connect_and_postgresql_lose_and_repeat_no_change(
    stack: Stack, stream: Stream, settings: Settings, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    with shop_at_work(settings, ledger), interleaved_transactions(settings):
        wait_for("changes", lambda: stream.has_grown_by(500))
        for _ in range(2):
            stack.kill("connect")
            without_connect = faults(settings)
            stack.start("connect")
            wait_for("capture to continue", lambda: healthy(settings))
        stack.kill("postgres")
        without_database = faults(settings)
        stack.start("postgres")
        wait_for("capture to continue", lambda: healthy(settings))
        stack.kill("connect")
        stack.kill("postgres")
        stack.start("postgres")
        stack.start("connect")
        wait_for("capture to continue", lambda: healthy(settings))

    records = stream.records()
    ids = [record.body["event_id"] for record in records]
    others = [record for record in records if record.key.startswith(INTERLEAVED)]
    with connect(settings) as connection:
        made = connection.execute(
            "DELETE FROM shop.products WHERE product_id ~ '^(slow|quick)-' RETURNING product_id"
        ).fetchall()
    assert "no Kafka Connect answers" in without_connect
    assert "no PostgreSQL answers" in without_database
    assert len(ids) == len(set(ids))
    assert sorted(record.key for record in others) == sorted(key for (key,) in made)
    assert len(made) > 300
    assert changes_of([record for record in records if not record.key.startswith(INTERLEAVED)]) == changes_in(ledger)
    assert copies_agree(settings)


@pytest.mark.full
def test_apply_after_a_lost_slot_emits_the_missed_changes(shop: Connection, stream: Stream, settings: Settings) -> None:
    make_product(shop, "p-gone")
    assert len(stream.of("p-gone")) == 1
    ask(settings, "PUT", f"connectors/{CONNECTOR}/stop")
    wait_for("the slot to be free", lambda: "no client reads the replication slot" in faults(settings))
    shop.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
    shop.execute("DELETE FROM shop.products WHERE product_id = 'p-gone'")
    make_product(shop, "p-unseen")
    reported, steps = faults(settings), plan(settings)

    change_capture.apply(settings)

    assert f"there is no replication slot {SLOT}" in reported
    assert "read all rows, since changes made meanwhile are lost" in steps[0]
    assert [record.body["op"] for record in stream.of("p-gone")] == ["c", "d"]
    assert [record.body["op"] for record in stream.of("p-unseen")] == ["r"]
    assert healthy(settings)
    assert copies_agree(settings)
    shop.execute("DELETE FROM shop.products WHERE product_id = 'p-unseen'")


@pytest.mark.full
def test_apply_after_a_dropped_publication_emits_the_missed_changes(
    shop: Connection, stream: Stream, settings: Settings
) -> None:
    shop.execute(f"DROP PUBLICATION {PUBLICATION}".encode())
    make_product(shop, "p-unpublished")
    reported = faults(settings)

    change_capture.apply(settings)

    assert f"there is no publication {PUBLICATION}" in reported
    assert [record.body["op"] for record in stream.of("p-unpublished")] == ["r"]
    assert healthy(settings)
    assert copies_agree(settings)
    shop.execute("DELETE FROM shop.products WHERE product_id = 'p-unpublished'")


@pytest.mark.full
def test_incomplete_publication_is_reported_and_repaired_all_or_nothing(
    shop: Connection, stream: Stream, settings: Settings
) -> None:
    make_product(shop, "p-cut")
    shop.execute(f"ALTER PUBLICATION {PUBLICATION} SET (publish = 'insert')".encode())
    shop.execute("UPDATE shop.products SET stock = 7 WHERE product_id = 'p-cut'")
    reported = faults(settings)
    shop.execute("CREATE TYPE shop.mood AS ENUM ()")
    with pytest.raises(CaptureError, match=r"nothing was changed[\s\S]*the type shop\.mood is"):
        change_capture.apply(settings)
    after_refusal = faults(settings)
    shop.execute("DROP TYPE shop.mood")

    change_capture.apply(settings)

    assert f"the publication {PUBLICATION} leaves out UPDATE, DELETE, TRUNCATE" in reported
    assert f"the publication {PUBLICATION} leaves out UPDATE, DELETE, TRUNCATE" in after_refusal
    records = stream.of("p-cut")
    assert [(record.body["op"], record.body["stock"]) for record in records] == [("c", 1), ("r", 7)]
    assert healthy(settings)
    shop.execute("DELETE FROM shop.products WHERE product_id = 'p-cut'")
    assert copies_agree(settings)


@pytest.mark.full
def test_changes_of_a_partitioned_table_with_uuid_keys_are_events(
    shop: Connection, stream: Stream, settings: Settings
) -> None:
    first, second = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    for statement in (
        "ALTER TABLE shop.products RENAME TO saved",
        "CREATE TABLE shop.products (product_id uuid PRIMARY KEY, name text NOT NULL, category text NOT NULL, "
        "price_minor bigint NOT NULL, currency char(3) NOT NULL, stock integer NOT NULL) "
        "PARTITION BY HASH (product_id)",
        "CREATE TABLE shop.half PARTITION OF shop.products FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE shop.rest PARTITION OF shop.products FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "INSERT INTO shop.products SELECT md5(product_id)::uuid, name, category, price_minor, currency, stock "
        "FROM shop.saved",
    ):
        shop.execute(statement.encode())
    reported = faults(settings)
    try:
        change_capture.apply(settings)
        was_healthy = healthy(settings)
        for key in (first, second):
            make_product(shop, key)
            shop.execute("UPDATE shop.products SET stock = 7 WHERE product_id = %s", [key])
            shop.execute("DELETE FROM shop.products WHERE product_id = %s", [key])
        records = [record for record in stream.records() if record.key in (first, second)]
        copy = {
            row
            for row in newest_rows(Stream(settings, from_start=True).records()).values()
            if isinstance(row, ProductRow)
        }
        rows = {ProductRow(*row) for row in shop.execute(ROWS_BY_TEXT)}
    finally:
        shop.execute("DROP TABLE shop.products")
        shop.execute("ALTER TABLE shop.saved RENAME TO products")
        change_capture.apply(settings)

    assert "shop.products isn't in the publication" in reported
    assert was_healthy
    assert all(record.is_event for record in records)
    assert [(record.body["op"], record.body["stock"]) for record in records if record.key == first] == [
        ("c", 1),
        ("u", 7),
        ("d", 7),
    ]
    assert len(records) == 6
    assert copy == rows
    assert len(copy) > 0
    assert healthy(settings)
    assert copies_agree(settings)


def test_apply_on_healthy_capture_changes_nothing(settings: Settings) -> None:
    again = CliRunner().invoke(cdc, ["apply"])

    assert (again.exit_code, again.output) == (0, "the connector shop is as it should be: nothing to do\n")
    assert plan(settings) == []


def test_status_shows_capture_and_exits_with_1_while_paused(settings: Settings) -> None:
    well = CliRunner().invoke(cdc, ["status"])
    ask(settings, "PUT", f"connectors/{CONNECTOR}/pause")
    wait_for("the connector to pause", lambda: "the connector is PAUSED" in faults(settings))
    paused = CliRunner().invoke(cdc, ["status"])
    change_capture.apply(settings)

    assert well.exit_code == 0
    assert "running on" in well.output
    assert "is being read; the server retains" in well.output
    assert "streaming; " in well.output
    assert "last change of shop.customers" in well.output
    assert paused.exit_code == 1
    assert healthy(settings)
