"""The simulated shop on a real PostgreSQL: its ledger agrees with the tables, also after crashes."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.settings import Settings
from local.settings import CHECKOUT
from local.simulator.shop.database import connect, read_all
from local.simulator.shop.rows import checksum
from local.simulator.shop.shop_ledger import ShopLedger, ShopLedgerContent
from local.simulator.shop.state import State
from local.stack.supervisor import Stack
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import DEADLINE_SECONDS, wait_for
from tests.services.cutting_proxy import cutting_proxy
from tests.services.service_process import running

CUSTOMERS = 500

Tables = tuple[str, str]
"""Checksums of customers and products."""


@dataclass(frozen=True)
class Shop:
    """A database without the shop's schema, and the service to run on it."""

    stack: Stack
    environment: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Settings of the database."""
        return self.stack.setup.settings

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the service from beginning to end."""
        return subprocess.run(
            _command(*arguments),
            cwd=CHECKOUT,
            env=os.environ | self.environment | variables,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    @contextmanager
    def running(self, ledger: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the service while it changes rows; its output is in a file beside the ledger."""
        command = _command("--seconds", "0", "--ledger", str(ledger), *arguments)
        with running(command, {**self.environment, **variables}, ledger.with_suffix(".out")) as service:
            yield service

    def tables(self) -> Tables:
        """Return the checksums of the tables."""
        customers, products = read_all(self.settings)
        return checksum(customers), checksum(products)

    def last_transactions(self) -> list[int]:
        """Return the number of each run's last transaction from the database."""
        with connect(self.settings) as connection:
            return [number for (number,) in connection.execute("SELECT last_transaction FROM shop.runs")]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "local.simulator.shop", "--customers", str(CUSTOMERS), *arguments]


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[Stack, Mapping[str, str]]]:
    """PostgreSQL alone, and its environment."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-shop-") as folder:
        Path(folder).chmod(0o755)
        environment = environment_on_free_ports(Path(folder, "stack"))
        stack = Stack.from_environment(environment)
        try:
            stack.up(["postgres"])
            yield stack, environment
        finally:
            stack.down()


@pytest.fixture
def shop(database: tuple[Stack, Mapping[str, str]]) -> Shop:
    stack, environment = database
    stack.up(["postgres"])
    with connect(stack.setup.settings) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
    return Shop(stack, environment)


def tables_of(content: ShopLedgerContent) -> Tables:
    """Return the checksums of the tables at the end of a ledger."""
    return checksum(content.customers), checksum(content.products)


def tables_if_in_doubt_committed(content: ShopLedgerContent) -> Tables:
    """Return the same checksums if the transactions in doubt were committed."""
    state = State.of(content.customers, content.products)
    for transaction in content.in_doubt:
        state.apply(transaction.statements)
    return checksum(state.customers.rows), checksum(state.products.rows)


def first_tables(content: ShopLedgerContent) -> Tables:
    """Return the checksums of the tables at the beginning of a ledger's run."""
    return tables_of(ShopLedgerContent(content.first_rows, (), None))


def last_committed(content: ShopLedgerContent) -> int:
    return content.committed[-1].number


def wait_for_transactions(ledger: Path, more: int) -> None:
    """Wait until the ledger has at least `more` further transactions."""

    def committed() -> int:
        return len(ShopLedger.read(ledger).committed) if ledger.exists() else 0

    before = committed()
    wait_for(f"{more} more transactions", lambda: committed() >= before + more)


def wait_for_output(output: Path, begin: int, words: str) -> None:
    """Wait until the service's output matches, from the character `begin` on."""
    wait_for(f"the service to report {words}", lambda: bool(re.search(words, output.read_text()[begin:])))


def ended(service: subprocess.Popen[bytes]) -> int:
    """Stop the service as Ctrl-C does, and return its exit status."""
    service.send_signal(signal.SIGINT)
    return service.wait(DEADLINE_SECONDS)


def test_tables_filled_twice_have_the_same_rows(shop: Shop) -> None:
    first = shop.run("--tables-only")
    filled = shop.tables()

    second = shop.run("--tables-only")

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout == "500 rows filled into shop.customers, 240 rows filled into shop.products\n"
    assert second.stdout == "0 rows filled into shop.customers, 0 rows filled into shop.products\n"
    assert shop.tables() == filled


def test_tables_filled_by_two_services_at_once_have_each_row_once(shop: Shop) -> None:
    both = [
        subprocess.Popen(_command("--tables-only"), cwd=CHECKOUT, env=os.environ | shop.environment) for _ in range(2)
    ]

    statuses = [service.wait(DEADLINE_SECONDS) for service in both]

    assert statuses == [0, 0]
    customers, products = read_all(shop.settings)
    assert (len(customers), len(products)) == (500, 240)


def test_ledger_of_a_run_agrees_with_the_tables_and_the_server_s_clock(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"

    run = shop.run("--rate", "100", "--seconds", "3", "--ledger", str(ledger))

    content = ShopLedger.read(ledger)
    assert run.returncode == 0, run.stdout + run.stderr
    assert content.summary is not None
    assert content.summary.complete
    assert content.summary.outcomes.keys() == {"committed", "rolled_back"}
    assert tables_of(content) == shop.tables() != first_tables(content)
    for transaction in content.committed:
        assert transaction.committed_at is not None
        assert transaction.ended_at is not None
        assert transaction.began_at <= transaction.committed_at <= transaction.ended_at


def test_interrupted_service_stops_with_a_ledger_that_agrees(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"
    with shop.running(ledger, "--rate", "100") as service:
        wait_for_transactions(ledger, 50)

        status = ended(service)

    content = ShopLedger.read(ledger)
    assert status == 0
    assert content.summary is not None
    assert not content.summary.complete
    assert content.in_doubt == ()
    assert tables_of(content) == shop.tables()


def test_restarted_service_resumes_where_the_killed_one_stopped(shop: Shop, tmp_path: Path) -> None:
    killed, resumed = tmp_path / "killed.ledger", tmp_path / "resumed.ledger"
    with shop.running(killed, "--rate", "300") as service:
        wait_for_transactions(killed, 100)
        service.kill()
        service.wait()
    between = shop.tables()

    run = shop.run("--rate", "100", "--seconds", "2", "--ledger", str(resumed))

    before, after = ShopLedger.read(killed), ShopLedger.read(resumed)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("0 rows filled into shop.customers, 0 rows filled into shop.products\n")
    assert len(before.in_doubt) <= 1
    assert between in {tables_of(before), tables_if_in_doubt_committed(before)}
    assert between == first_tables(after)
    assert tables_of(after) == shop.tables()


def test_service_waits_for_a_killed_database_without_loss_or_repetition(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"
    output = ledger.with_suffix(".out")
    with shop.running(ledger, "--rate", "300") as service:
        for _ in range(3):
            wait_for_transactions(ledger, 100)
            before = len(output.read_text())
            shop.stack.kill("postgres")
            wait_for_output(output, before, "the database has been unavailable for")
            shop.stack.start("postgres")
            wait_for_output(output, before, "the database is back after")
        wait_for_transactions(ledger, 100)

        status = ended(service)

    content = ShopLedger.read(ledger)
    assert status == 0, output.read_text()
    assert content.in_doubt == ()
    assert tables_of(content) == shop.tables()
    assert [transaction.number for transaction in content.transactions] == list(range(1, len(content.transactions) + 1))
    assert shop.last_transactions() == [last_committed(content)]


@pytest.mark.full
def test_service_started_without_a_database_waits_and_then_works(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"
    output = ledger.with_suffix(".out")
    shop.stack.kill("postgres")
    with shop.running(ledger, "--rate", "100") as service:
        wait_for_output(output, 0, r"the database has been unavailable for ([3-9]|\d\d+) s")
        shop.stack.start("postgres")
        wait_for_transactions(ledger, 50)

        status = ended(service)

    content = ShopLedger.read(ledger)
    assert status == 0, output.read_text()
    assert "the database is back after" in output.read_text()
    assert tables_of(content) == shop.tables()


def test_transaction_is_not_repeated_if_only_its_commit_answer_is_lost(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"
    url = urlsplit(shop.settings.shop_database_url)
    assert shop.run("--tables-only").returncode == 0
    with cutting_proxy((str(url.hostname), url.port or 0), cut_at=5) as proxy:
        through_it = f"postgresql://127.0.0.1:{proxy.port}{url.path}"

        with shop.running(ledger, "--rate", "300", MILLRACE_SHOP_DATABASE_URL=through_it) as service:
            wait_for("answers to be lost", lambda: proxy.answers_lost >= 8 or service.poll() is not None)
            status = ended(service)

    content = ShopLedger.read(ledger)
    assert status == 0, ledger.with_suffix(".out").read_text()
    assert proxy.answers_lost >= 8
    assert len(content.in_doubt) <= 1
    assert shop.tables() in {tables_of(content), tables_if_in_doubt_committed(content)}


def test_foreign_change_of_the_tables_stops_the_service_with_an_error(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger"
    with shop.running(ledger, "--rate", "300") as service:
        wait_for_transactions(ledger, 10)

        with connect(shop.settings) as connection:
            connection.execute("DELETE FROM shop.products WHERE product_id LIKE 'product-%'")

        assert service.wait(DEADLINE_SECONDS) == 1
    assert "another program changes them, too" in ledger.with_suffix(".out").read_text()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MILLRACE_SHOP_DATABASE_PASSWORD", "wrong", "doesn't accept the password of millrace"),
        ("MILLRACE_SHOP_DATABASE_URL", "postgresql://127.0.0.1:9/shop", "no PostgreSQL answers"),
        ("MILLRACE_SHOP_DATABASE_USER", "nobody", "doesn't accept the password of nobody"),
    ],
)
def test_unusable_database_is_an_error_that_names_the_setting(
    shop: Shop, variable: str, value: str, words: str
) -> None:
    run = shop.run("--tables-only", **{variable: value})

    assert run.returncode == 1
    assert words in run.stderr
    assert variable in run.stderr
    assert "Traceback" not in run.stderr


def test_missing_database_is_an_error_that_names_the_database(shop: Shop) -> None:
    url = shop.settings.shop_database_url.replace("/shop", "/stop")

    run = shop.run("--tables-only", MILLRACE_SHOP_DATABASE_URL=url)

    assert run.returncode == 1
    assert "has no database stop" in run.stderr
