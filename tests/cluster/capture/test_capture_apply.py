"""`cdc apply` when PostgreSQL or Kafka Connect fails in the middle: an error names which, and the next run finishes.

PostgreSQL is a real one. A stand-in for the worker of Kafka Connect reads the replication slot and discards the
changes. There is no Kafka: functions of this module answer requests for topics and records.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner, Result

from connectors.postgres.captured_tables import CAPTURED, OWN_SCHEMA, PUBLICATION, SLOT
from connectors.postgres.client import Connection, connect, shop_address
from connectors.settings import Settings
from local.simulator.shop.database import make_tables
from ops.capture import apply as change_capture
from ops.capture import database_queries as capture_database
from ops.capture import existing_rows
from ops.capture.commands import cdc
from ops.capture.database_queries import look
from ops.capture.database_setup import drop_slot
from ops.capture.faults import database_faults
from tests.services.cutting_proxy import cutting_proxy
from tests.services.json_server import json_server

ROWS = 5
DEADLINE_SECONDS = 30


@dataclass
class Worker:
    """A stand-in for Kafka Connect that knows one connector."""

    settings: Settings
    config: dict[str, str] | None = None
    state: str = "STOPPED"
    fails_at: str = ""
    """The first request that gets no answer; none is answered afterwards."""
    carries_out_request: bool = False
    is_unavailable: bool = False
    _reader: Connection | None = field(default=None, repr=False)

    def answer(self, request: str, body: bytes) -> tuple[int, Any]:
        fails = request == self.fails_at
        if self.is_unavailable or (fails and not self.carries_out_request):
            self.is_unavailable = True
            raise ConnectionAbortedError
        answered = self._answer(request, msgspec.json.decode(body) if body else {})
        if fails:
            self.is_unavailable = True
            raise ConnectionAbortedError
        return answered

    def _answer(self, request: str, content: dict[str, Any]) -> tuple[int, Any]:
        match request:
            case "POST /connectors" if self.config is not None:
                return 409, {"message": "Connector shop already exists"}
            case "POST /connectors":
                self.config, self.state = content["config"], content["initial_state"]
            case _ if request != "PUT /connectors/shop/config" and self.config is None:
                return 404, {"message": "Connector shop not found"}
            case "PUT /connectors/shop/config":
                self.config = content
            case "PUT /connectors/shop/stop":
                self.state = "STOPPED"
                self.close()
            case "PUT /connectors/shop/resume":
                self.state = "RUNNING"
                self._read()
            case "GET /connectors/shop/config":
                return 200, self.config
            case "GET /connectors/shop/status":
                tasks = [{"state": "RUNNING"}] if self.state == "RUNNING" else []
                return 200, {"connector": {"state": self.state, "worker_id": "w"}, "tasks": tasks}
        return 200, {}

    def _read(self) -> None:
        address = shop_address(self.settings)
        reader = connect(
            address.url, user=address.user, password=address.password, replication="database", autocommit=True
        )
        options = f"(proto_version '1', publication_names '{PUBLICATION}')"
        reader.pgconn.exec_(f"START_REPLICATION SLOT {SLOT} LOGICAL 0/0 {options}".encode())
        self._reader = reader

    def close(self) -> None:
        """Stop reading the slot, and wait until the server has noticed."""
        if self._reader is None:
            return
        self._reader.close()
        with capture_database.connected(self.settings) as connection:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while (slot := look(connection).slot) and slot.is_active:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture
def shop(postgres: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The shop's database with a few rows, which are not captured yet; they are read in batches of two."""
    monkeypatch.setattr(existing_rows, "BATCH_ROWS", 2)
    monkeypatch.setattr(change_capture, "describe", lambda _: {table.topic.name: None for table in CAPTURED})
    monkeypatch.setattr(existing_rows, "committed_records", lambda *_: [])
    monkeypatch.setattr(change_capture, "wait_until_captured", lambda _: None)
    with capture_database.connected(postgres) as connection:
        _clear(connection)
        make_tables(postgres, ROWS)
        yield connection
        _clear(connection)


def _clear(connection: Connection) -> None:
    wait_until_unlocked(connection)
    drop_slot(connection)
    connection.execute(f"DROP PUBLICATION IF EXISTS {PUBLICATION}".encode())
    for schema in ("shop", "millrace"):
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


def wait_until_unlocked(connection: Connection) -> None:
    """Wait until the server has noticed that the client of `cdc apply` is gone."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while look(connection).is_being_applied:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def worker(postgres: Settings, shop: Connection) -> Iterator[Worker]:  # noqa: ARG001 - the worker is closed before
    """A worker of Kafka Connect without any connector."""
    found = Worker(postgres)
    yield found
    found.close()


def apply(worker: Worker, database_url: str = "") -> Result:
    """Run `python -m ops cdc apply --yes`."""
    settings = worker.settings
    with json_server(worker.answer) as address:
        variables = {
            "MILLRACE_CONNECT_URL": address,
            "MILLRACE_SHOP_DATABASE_URL": database_url or settings.shop_database_url,
            "MILLRACE_SHOP_DATABASE_USER": settings.shop_database_user,
            "MILLRACE_SHOP_DATABASE_PASSWORD": settings.shop_database_password,
        }
        return CliRunner().invoke(cdc, ["apply", "--yes"], env=variables)


def is_captured(connection: Connection) -> bool:
    """Return whether the database has no fault, and each row was read once."""
    read = dict(connection.execute(f"SELECT table_name, rows_read FROM {OWN_SCHEMA}.readings".encode()).fetchall())
    [counts] = connection.execute(
        "SELECT (SELECT count(*) FROM shop.customers), (SELECT count(*) FROM shop.products)"
    ).fetchall()
    return read == dict(zip(("shop.customers", "shop.products"), counts, strict=True)) and not database_faults(
        look(connection)
    )


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        (b"CREATE PUBLICATION", 1),
        (b"COMMIT", 1),
        (b"pg_create_logical_replication_slot", 1),
        (b'INSERT INTO "millrace"."products_read"', 3),
        (b"COMMIT", 3),
        (b"SET finished_at = now()", 1),
    ],
    ids=["in the middle of the set-up", "set up", "slot made", "in the middle of a batch", "batch read", "table read"],
)
def test_apply_reports_a_broken_connection_and_the_next_one_finishes(
    shop: Connection, worker: Worker, statement: bytes, number: int
) -> None:
    url = urlsplit(worker.settings.shop_database_url)
    with cutting_proxy((str(url.hostname), url.port or 0), number, statement) as proxy:
        through_it = f"postgresql://127.0.0.1:{proxy.port}{url.path}"

        first = apply(worker, through_it)
        broken = proxy.answers_lost

    wait_until_unlocked(shop)
    second = apply(worker)

    assert broken == 1
    assert (first.exit_code, "Traceback" in first.output) == (1, False)
    assert f"\nError: the connection to {through_it} broke: " in first.output
    assert second.exit_code == 0, second.output
    assert second.output.endswith("done: changes are captured\n")
    assert is_captured(shop)


@pytest.mark.parametrize("carries_out_request", [False, True], ids=["before it is done", "before it is answered"])
@pytest.mark.parametrize(
    "request_",
    ["POST /connectors", "DELETE /connectors/shop/offsets", "PUT /connectors/shop/resume"],
)
def test_apply_reports_an_unavailable_connect_and_the_next_one_finishes(
    shop: Connection, worker: Worker, request_: str, carries_out_request: bool
) -> None:
    worker.fails_at, worker.carries_out_request = request_, carries_out_request

    first = apply(worker)
    was_unavailable, worker.is_unavailable, worker.fails_at = worker.is_unavailable, False, ""
    second = apply(worker)

    assert was_unavailable
    assert (first.exit_code, "Traceback" in first.output) == (1, False)
    assert "\nError: no Kafka Connect answers at http://127.0.0.1:" in first.output
    assert second.exit_code == 0, second.output
    assert second.output.endswith("done: changes are captured\n")
    assert is_captured(shop)
