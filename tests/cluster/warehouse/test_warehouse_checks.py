"""`ops warehouse checks` shows the warehouse's figures, and whether they agree with the shop."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from connectors.postgres.client import Connection
from connectors.settings import Settings, variable
from local.simulator.shop.database import connect, make_tables
from ops.__main__ import main
from ops.warehouse.figures import CUSTOMER_COLUMNS, PRODUCT_COLUMNS
from tests.builders.events import customer, enriched_line, enriched_order, product
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.warehouse.warehouse_loader import Loader

DATABASES = ("shop_database_url", "warehouse_url")
CUSTOMERS = 30


@pytest.fixture(scope="module")
def shop(postgres: Settings) -> Iterator[Connection]:
    """The shop's database with its first rows."""
    make_tables(postgres, CUSTOMERS)
    with connect(postgres) as connection:
        yield connection


@pytest.fixture
def filled(
    cluster: MiniCluster,
    postgres: Settings,
    shop: Connection,
    warehouse_connection: Connection,
    tmp_path: Path,
) -> Connection:
    """A warehouse with all rows of the shop, rows that the shop had once, and two orders."""
    versions = [
        customer(**dict(zip(CUSTOMER_COLUMNS, row, strict=True)))
        for row in shop.execute(f"SELECT {', '.join(CUSTOMER_COLUMNS)} FROM shop.customers".encode())
    ]
    offered = [
        product(**dict(zip(PRODUCT_COLUMNS, row, strict=True)))
        for row in shop.execute(f"SELECT {', '.join(PRODUCT_COLUMNS)} FROM shop.products".encode())
    ]
    promoted = msgspec.structs.replace(versions[0], tier="once", lsn=0)
    gone = customer("gone", lsn=2, op="d", deleted=True), product("gone", lsn=2, op="d", deleted=True)
    lines = enriched_line(1, category="books", quantity=2), enriched_line(2, category="toys", quantity=1)
    unknown = enriched_line(1, name=None, category=None, quantity=1)
    orders = (
        enriched_order("o1", lines=lines),
        enriched_order("o2", complete=False, missing=("product:p1",), lines=(unknown,)),
    )
    letters = Loader(cluster, postgres, tmp_path).load(*versions, *offered, promoted, *gone, *orders)
    assert letters == []
    return warehouse_connection


@pytest.fixture(autouse=True)
def databases(postgres: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DATABASES:
        monkeypatch.setenv(variable(name), getattr(postgres, name))


def checks() -> Result:
    return CliRunner().invoke(main, ["warehouse", "checks"])


def verdicts(result: Result) -> dict[str, str]:
    """Return the verdicts by claim."""
    lines = [line.split("  ") for line in result.output.splitlines()]
    return {line[1]: line[0] for line in lines if line[0] in {"ok", "NO"}}


@pytest.mark.usefixtures("filled")
def test_complete_warehouse_passes_its_checks_and_shows_its_figures() -> None:
    result = checks()

    assert result.exit_code == 0, result.output
    assert set(verdicts(result).values()) == {"ok"}
    assert "2 orders, 1 of them incomplete" in result.output
    revenue = [line.split() for line in result.output.splitlines() if " EUR " in line]
    assert revenue == [["books", "EUR", "4,000"], ["toys", "EUR", "2,000"], ["unknown", "EUR", "2,000"]]


def test_failed_check_is_named(filled: Connection) -> None:
    # All changes share one warehouse, since each load is a run of the job; none undoes the one before.
    changed: set[str] = set()
    for change, claim in (
        ("DELETE FROM warehouse.fact_order_line WHERE line_number = 2", "the lines of each order add up to its total"),
        ("UPDATE warehouse.dim_product SET stock = stock + 1, lsn = lsn + 1", "dim_product = shop.products"),
        ("DELETE FROM warehouse.dim_customer WHERE name LIKE '%a%'", "dim_customer = shop.customers"),
    ):
        filled.execute(change.encode())
        changed.add(claim)

        result = checks()

        assert result.exit_code == 1
        assert {claim for claim, verdict in verdicts(result).items() if verdict == "NO"} == changed, change
