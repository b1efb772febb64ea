"""Migrates a database's tables by numbered files, each applied once, in a transaction, never undone."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql

from connectors.postgres.client import Connection
from ops.formats import utc

FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
OTHERS_WITHIN_SECONDS = 60
"""Maximum wait for another `migrate`, in seconds."""
TABLES_WITHIN_SECONDS = 10
"""Maximum wait for a lock on a table, in seconds; meanwhile all other clients of the table wait, too."""


class MigrationError(RuntimeError):
    """The migrations can't be applied as they are; the message names them and gives the reason and the remedy."""


@dataclass(frozen=True)
class Migration:
    """A numbered file."""

    version: int
    file: str
    """Name of the file."""
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, which changes if the file is edited."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Applied:
    """The database's record of a migration."""

    version: int
    file: str
    checksum: str
    applied_at: datetime


def read(folder: Path) -> list[Migration]:
    """Read the migrations in a folder, in order.

    Raises:
        MigrationError: a file isn't named like one, or the numbers are not 1, 2, 3…
    """
    migrations = []
    for file in sorted(folder.iterdir()):
        named = FILE_NAME.fullmatch(file.name)
        if not named:
            raise MigrationError(f"{file} is not named as a migration is: 0001_what_it_does.sql")
        migrations.append(Migration(int(named[1]), file.name, file.read_text("utf-8")))
    for expected, migration in enumerate(migrations, start=1):
        if migration.version != expected:
            raise MigrationError(f"{folder / migration.file} should have the number {expected:04}")
    return migrations


def applied(connection: Connection, schema: str) -> list[Applied]:
    """Return the migrations that were applied to a schema, in order; changes nothing."""
    [[remembers]] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{schema}.migrations"])
    if not remembers:
        return []
    rows = connection.execute(
        sql.SQL("SELECT version, file, checksum, applied_at FROM {}.migrations ORDER BY version").format(
            sql.Identifier(schema)
        )
    )
    return [Applied(*row) for row in rows]


def pending(migrations: Sequence[Migration], known: Iterable[Applied]) -> list[Migration]:
    """Return the migrations that are still to be applied.

    Raises:
        MigrationError: the files don't continue from the database's version.
    """
    files = {migration.version: migration for migration in migrations}
    done = {each.version: each for each in known}
    if problems := [problem for each in done.values() if (problem := _problem(each, files))]:
        raise MigrationError("\n".join(problems))
    return [migration for migration in migrations if migration.version not in done]


def _problem(known: Applied, files: Mapping[int, Migration]) -> str:
    when = f"was applied on {utc(known.applied_at)}"
    file = files.get(known.version)
    if file is None:
        return f"{known.file} {when}, but isn't here: this checkout is older than the database"
    if file.checksum != known.checksum:
        return (
            f"{file.file} {when} as {known.file} and has been edited since: restore it, "
            "and put the change into a new file"
        )
    return ""


def migrate(connection: Connection, schema: str, migrations: Sequence[Migration]) -> list[Migration]:
    """Apply the pending migrations, each with its record in a transaction of its own; return them.

    A concurrent call waits, and then finds nothing to do.

    Raises:
        MigrationError: nothing could be applied, or one failed; those before it stay.
    """
    _wait_for_others(connection, schema)
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{TABLES_WITHIN_SECONDS}s")))
    with connection.transaction():
        connection.execute(_memory(schema))
    todo = pending(migrations, applied(connection, schema))
    for migration in todo:
        _apply(connection, schema, migration)
    return todo


def _wait_for_others(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{OTHERS_WITHIN_SECONDS}s")))
    try:
        # Held until the connection is closed.
        connection.execute("SELECT pg_advisory_lock(hashtextextended('migrations of ' || %s, 0))", [schema])
    except psycopg.errors.LockNotAvailable:
        raise MigrationError(
            f"another `migrate` has been running for {OTHERS_WITHIN_SECONDS} s: nothing was changed"
        ) from None


def _memory(schema: str) -> sql.Composed:
    return sql.SQL("""
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE IF NOT EXISTS {schema}.migrations (
            version integer PRIMARY KEY,
            file text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            applied_by text NOT NULL DEFAULT current_user
        );
        COMMENT ON TABLE {schema}.migrations IS 'One row per file that made or changed the tables of this schema.';
        COMMENT ON COLUMN {schema}.migrations.version IS 'Number at the beginning of the file''s name.';
        COMMENT ON COLUMN {schema}.migrations.file IS 'Name of the file.';
        COMMENT ON COLUMN {schema}.migrations.checksum IS 'SHA-256 of the file''s text, in hexadecimal digits.';
        COMMENT ON COLUMN {schema}.migrations.applied_at IS 'Time at which the migration was applied.';
        COMMENT ON COLUMN {schema}.migrations.applied_by IS 'User who applied the migration.';
    """).format(schema=sql.Identifier(schema))


def _apply(connection: Connection, schema: str, migration: Migration) -> None:
    try:
        with connection.transaction():
            began = _transaction(connection)
            connection.execute(migration.text.encode())
            if _transaction(connection) != began:
                raise MigrationError(f"{migration.file} ends its transaction: remove its COMMIT or ROLLBACK")
            connection.execute(
                sql.SQL("INSERT INTO {}.migrations (version, file, checksum) VALUES (%s, %s, %s)").format(
                    sql.Identifier(schema)
                ),
                [migration.version, migration.file, migration.checksum],
            )
    except psycopg.errors.LockNotAvailable:
        raise MigrationError(
            f"{migration.file} was not applied: a table that it changes is in use for longer than "
            f"{TABLES_WITHIN_SECONDS} s; stop the jobs that write to it, or try again"
        ) from None
    except (psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.DataError, psycopg.NotSupportedError) as error:
        raise MigrationError(
            f"{migration.file}{_place(migration, error)}: {error}\nnothing of it was applied"
        ) from error


def _transaction(connection: Connection) -> object:
    return connection.execute("SELECT pg_current_xact_id()::text").fetchone()


def _place(migration: Migration, error: psycopg.Error) -> str:
    position = error.diag.statement_position
    return f", line {migration.text.count(chr(10), 0, int(position)) + 1}" if position else ""
