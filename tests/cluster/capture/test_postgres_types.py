"""Each row of the table of PostgreSQL's types in docs/change-data.md holds, with a real server and Debezium."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.postgres.captured_tables import BECOMES, PUBLICATION, SLOT, connector_config
from connectors.postgres.client import Connection
from connectors.settings import Settings
from ops.capture import database_queries as capture_database
from ops.capture.database_queries import columns_of
from ops.capture.database_setup import drop_slot
from tests.cluster.capture.connect_programs import connect_program

DOCS = Path(__file__).parents[3] / "docs" / "change-data.md"
LEFT_OUT = "left out"
MADE_FIRST = (
    "CREATE SCHEMA kinds",
    "SET search_path = kinds",
    "CREATE EXTENSION citext",
    "CREATE EXTENSION hstore",
    "CREATE TYPE mood AS ENUM ('sad', 'happy')",
    "CREATE DOMAIN email AS text",
    "CREATE DOMAIN own_email AS email",
    "CREATE DOMAIN code AS char(2)",
    "CREATE TYPE pair AS (number integer, word text)",
    # Namesakes of built-in types in a schema of their own do no harm.
    "CREATE SCHEMA elsewhere",
    "CREATE DOMAIN elsewhere.money AS numeric",
    "CREATE DOMAIN elsewhere.text AS integer",
    "CREATE TYPE elsewhere.int4 AS ENUM ('x')",
)

NOT_IN_THE_DOCS = {
    *("pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector", "aclitem", "refcursor"),
    *("pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "tid", "cid", "xid8", "txid_snapshot"),
    *("regproc", "regprocedure", "regoper", "regoperator", "regtype", "regrole", "regnamespace", "regcollation"),
    *("regconfig", "regdictionary"),
}
"""Types that PostgreSQL uses internally, or that are like one in the table."""


@dataclass(frozen=True)
class Example:
    """A row of the table."""

    name: str
    """Name of the column made from the row."""
    definition: str
    value: str
    """SQL; empty if the server fills the column."""
    becomes: Any
    """JSON, decoded; `LEFT_OUT` if the event doesn't have it; a type if the docs give only that."""
    fits: str


def examples() -> list[Example]:
    """Return the table of the docs."""
    [_, after] = DOCS.read_text(encoding="utf-8").split("## What a value becomes")
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in after.partition("\n## ")[0].splitlines() if "|" in line][2:]
    return [
        Example(f"c{number}", definition.strip("`"), value.strip("`"), _becomes(becomes), fits)
        for number, (definition, value, becomes, fits) in enumerate(rows)
    ]


def _becomes(words: str) -> Any:
    if found := re.match(r"`([^`]+)`", words):
        return json.loads(found[1])
    return dict if words == "an object" else LEFT_OUT


EXAMPLES = examples()


@pytest.fixture(scope="module")
def kinds(postgres: Settings) -> Iterator[Connection]:
    """A database with a published table that has a column of each type."""
    columns = ", ".join(f"{each.name} {each.definition}" for each in EXAMPLES)
    with capture_database.connected(postgres) as connection:
        try:
            _run(connection, MADE_FIRST)
            connection.execute(f"CREATE TABLE kinds.kinds (id text PRIMARY KEY, {columns})".encode())
            connection.execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE kinds.kinds".encode())
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
            yield connection
        finally:
            drop_slot(connection)
            _run(connection, [f"DROP PUBLICATION IF EXISTS {PUBLICATION}", "DROP SCHEMA IF EXISTS kinds CASCADE"])
            _run(connection, ["DROP SCHEMA IF EXISTS elsewhere CASCADE"])


@pytest.fixture(scope="module")
def event(kinds: Connection, postgres: Settings) -> dict[str, Any]:
    """The connector's event of a row with all the examples."""
    given = [each for each in EXAMPLES if each.value]
    names, values = ", ".join(each.name for each in given), ", ".join(each.value for each in given)
    kinds.execute(f"INSERT INTO kinds.kinds (id, {names}) VALUES ('a', {values})".encode())
    config = connector_config(postgres) | {
        "database.user": postgres.shop_database_user,
        "database.password": postgres.shop_database_password,
        "table.include.list": "kinds.kinds",
        "column.include.list": "kinds.kinds.*",
        "message.key.columns": "kinds.kinds:id",
        "transforms.rowVersion.tables": "kinds.kinds kinds kind id",
        "heartbeat.interval.ms": "0",
    }
    del config["heartbeat.action.query"]
    with subprocess.Popen(
        connect_program("CapturedLines"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(config) + "\n")
        process.stdin.flush()
        line = next((line for line in process.stdout if line.startswith("{")), "")
        process.kill()
    value: dict[str, Any] = json.loads(line)["value"]
    return value


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.definition} {each.value}".strip())
def test_value_becomes_what_the_docs_show(event: dict[str, Any], example: Example) -> None:
    became = event.get(example.name, LEFT_OUT)

    assert "problem" not in event
    if isinstance(example.becomes, type):
        assert isinstance(became, example.becomes)
    else:
        assert (type(became), became) == (type(example.becomes), example.becomes)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.definition} {each.value}".strip())
def test_column_fits_the_fields_that_the_docs_name(kinds: Connection, example: Example) -> None:
    [column] = [each for each in columns_of(kinds, "kinds.kinds") if each.name == example.name]

    assert ("nothing" if column.is_generated else BECOMES.get(column.base, "nothing")) == example.fits


def test_docs_list_every_type_that_fits_a_field(kinds: Connection) -> None:
    bases = {column.base for column in columns_of(kinds, "kinds.kinds")}

    assert BECOMES.keys() <= bases


def test_docs_list_every_type_that_a_column_may_have(kinds: Connection) -> None:
    rows = kinds.execute(
        "SELECT format_type(oid, NULL) FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace "
        "AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A'"
    )
    bases = {column.base for column in columns_of(kinds, "kinds.kinds")}

    assert {name for (name,) in rows} - bases == NOT_IN_THE_DOCS
