"""The jar for any Flink: in Flink's own SQL client, the statements of docs/jar.md print what that page shows."""

import re
import subprocess
from pathlib import Path

import pytest

from connectors.postgres.client import Connection
from connectors.process_environment import UTF_8, child_environment
from connectors.settings import Settings
from local.settings import CHECKOUT
from local.stack.services.java_process import QUICK_TO_START
from ops.warehouse import database as warehouse
from toolchain import flink_jar, jars
from toolchain.flink_home import WHEEL, assemble

CLIENT_SECONDS = 600
PAGE = (CHECKOUT / "docs" / "jar.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"\+-[-+]*\+\n(?:[|+].*\n)+|\[ERROR\] .*\n(?:.+\n)+")
"""A table, or an error with its reason."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def blocks(language: str) -> str:
    """Return the page's blocks of a language, one after the other."""
    return "\n".join(text for each, text in BLOCKS if each == language)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the jars and the payments that the page's reader has."""
    flink_jar.write(tmp_path)
    for jar in jars.paths("flink"):
        (tmp_path / jar.name).symlink_to(jar)
    (tmp_path / "payments").mkdir()
    (tmp_path / "payments" / "payments.jsonl").write_text(blocks("json"))
    return tmp_path


def in_the_test_database(statements: str, settings: Settings) -> str:
    """Return the statements with the tests' database address in place of the page's."""
    address = warehouse.address(settings)
    for shown, real in (
        ("jdbc:postgresql://localhost:5432/shop", f"jdbc:{address.url}"),
        ("'me'", f"'{address.user}'"),
        ("'secret'", f"'{address.password}'"),
    ):
        assert statements.count(shown) == 1
        statements = statements.replace(shown, real)
    return statements


def run_client(folder: Path, statements: str) -> str:
    """Return the output of `sql-client.sh`, run with no jars but those of Flink's distribution."""
    home, temporary = assemble(), folder / "tmp"
    temporary.mkdir()
    own = {
        "FLINK_LIB_DIR": str(WHEEL / "lib"),
        "FLINK_CONF_DIR": str(WHEEL / "conf"),
        "FLINK_LOG_DIR": str(temporary),
        "FLINK_IDENT_STRING": "millrace",
        "JVM_ARGS": f"-Xmx800m {' '.join(QUICK_TO_START)} -Djava.io.tmpdir={temporary}",
    }
    done = subprocess.run(
        [WHEEL / "bin" / "sql-client.sh", "--history", temporary / "history"],
        input=statements,
        cwd=folder,
        env=child_environment(UTF_8 | home.environment() | own),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CLIENT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return COLOUR.sub("", done.stdout)


@pytest.mark.full
def test_statements_of_the_page_print_the_output_shown_there(
    folder: Path, postgres: Settings, warehouse_connection: Connection
) -> None:
    statements = in_the_test_database(blocks("sql"), postgres)
    warehouse_connection.execute("CREATE TABLE payments_per_card (card_id TEXT PRIMARY KEY, payments BIGINT)")

    try:
        printed = run_client(folder, statements)
    finally:
        warehouse_connection.execute("DROP TABLE payments_per_card")

    assert PRINTED.findall(printed) == PRINTED.findall(blocks(""))


def test_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (flink_jar.write(tmp_path / name) for name in ("one", "other"))

    assert f"ADD JAR '{one.name}'" in PAGE
    assert one.read_bytes() == other.read_bytes()
