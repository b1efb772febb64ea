"""Migrations on a real PostgreSQL: numbered files, each applied once and whole, forward only."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.postgres.client import Connection, connecting
from connectors.settings import Settings
from ops.warehouse import database as warehouse
from ops.warehouse import migrations
from ops.warehouse.migrations import Migration, MigrationError

SCHEMA = "trial"


@pytest.fixture
def connection(postgres: Settings) -> Iterator[Connection]:
    """A database without the schema."""
    with connecting(warehouse.address(postgres), statement_seconds=30) as connection:
        connection.execute("DROP SCHEMA IF EXISTS trial CASCADE")
        yield connection
        connection.execute("DROP SCHEMA IF EXISTS trial CASCADE")


def files(*texts: str) -> list[Migration]:
    return [Migration(number, f"{number:04}_step.sql", text) for number, text in enumerate(texts, start=1)]


def columns(connection: Connection) -> list[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'trial' AND table_name = 'things'"
    return sorted(name for (name,) in connection.execute(query))


CREATE, ADD = "CREATE TABLE trial.things (a text)", "ALTER TABLE trial.things ADD COLUMN b text"


def test_each_file_is_applied_once(connection: Connection) -> None:
    first = migrations.migrate(connection, SCHEMA, files(CREATE))

    second = migrations.migrate(connection, SCHEMA, files(CREATE, ADD))
    third = migrations.migrate(connection, SCHEMA, files(CREATE, ADD))

    assert [[each.version for each in done] for done in (first, second, third)] == [[1], [2], []]
    assert columns(connection) == ["a", "b"]


def test_failing_file_leaves_nothing_and_keeps_the_files_before(connection: Connection) -> None:
    broken = f"{ADD};\nALTER TABLE trial.things ADD COLUMN c no_type"

    with pytest.raises(MigrationError, match=r"0002_step.sql, line 2: type \"no_type\" does not exist"):
        migrations.migrate(connection, SCHEMA, files(CREATE, broken))

    assert columns(connection) == ["a"]
    assert [each.version for each in migrations.applied(connection, SCHEMA)] == [1]


def test_file_edited_after_being_applied_is_refused(connection: Connection) -> None:
    migrations.migrate(connection, SCHEMA, files(CREATE))

    with pytest.raises(MigrationError, match="has been edited since"):
        migrations.migrate(connection, SCHEMA, files(CREATE + " -- edited", ADD))

    assert columns(connection) == ["a"]


def test_checkout_older_than_the_database_is_refused(connection: Connection) -> None:
    migrations.migrate(connection, SCHEMA, files(CREATE, ADD))

    with pytest.raises(MigrationError, match="this checkout is older than the database"):
        migrations.migrate(connection, SCHEMA, files(CREATE))


def test_file_cannot_end_its_transaction(connection: Connection) -> None:
    with pytest.raises(MigrationError, match="ends its transaction"):
        migrations.migrate(connection, SCHEMA, files("COMMIT"))


def test_second_of_two_concurrent_runs_has_nothing_to_apply(postgres: Settings, connection: Connection) -> None:
    slow = f"{CREATE}; SELECT pg_sleep(0.3)"
    done: list[int] = []

    def migrate() -> None:
        with connecting(warehouse.address(postgres), statement_seconds=30) as own:
            done.append(len(migrations.migrate(own, SCHEMA, files(slow))))

    both = [threading.Thread(target=migrate) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(30)

    assert sorted(done) == [0, 1]
    assert columns(connection) == ["a"]


def test_gap_in_the_numbers_of_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("SELECT 1")
    (tmp_path / "0003_third.sql").write_text("SELECT 3")

    with pytest.raises(MigrationError, match="should have the number 0002"):
        migrations.read(tmp_path)
