"""Creates and migrates the warehouse in PostgreSQL, and reports its state."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from psycopg import sql as composed

import sql
from connectors.postgres.client import Address, Connection, connecting
from connectors.settings import Settings
from ops.command_group import CommandGroup
from ops.formats import table
from ops.warehouse import migrations
from ops.warehouse.migrations import Applied, Migration, MigrationError

SCHEMA = "warehouse"
FOLDER = Path(str(sql.__file__)).parent / "tables" / "warehouse"
MIGRATE_SECONDS = 600
"""Time limit of a statement, in seconds: an index on a large table takes minutes."""
STATUS_SECONDS = 60


@dataclass(frozen=True)
class Filled:
    """Content of one table."""

    table: str
    rows: int
    newest: datetime | None
    """Event time of the newest row; None if there is none."""


def address(settings: Settings) -> Address:
    """Return the warehouse's address."""
    return Address(
        settings.warehouse_url, settings.warehouse_user, settings.warehouse_password, variable="MILLRACE_WAREHOUSE"
    )


def migrate(settings: Settings, folder: Path = FOLDER) -> list[Migration]:
    """Migrate the warehouse to the newest version; return the migrations that were applied.

    Raises:
        DatabaseError: it can't be reached.
        MigrationError: the files don't continue from its version, or one of them failed.
    """
    files = migrations.read(folder)
    with connecting(address(settings), MIGRATE_SECONDS) as connection:
        return migrations.migrate(connection, SCHEMA, files)


def tables(connection: Connection) -> list[Filled]:
    """Return the content of each table; counts every row."""
    columns = connection.execute(
        """
        SELECT table_name, column_name
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = %s AND table_type = 'BASE TABLE' AND column_name IN ('event_time', 'valid_from')
        ORDER BY table_name
        """,
        [SCHEMA],
    ).fetchall()
    return [_filled(connection, name, time) for name, time in columns]


def _filled(connection: Connection, name: str, time: str) -> Filled:
    query = composed.SQL("SELECT count(*), max({}) FROM {}").format(
        composed.Identifier(time), composed.Identifier(SCHEMA, name)
    )
    [[rows, newest]] = connection.execute(query)
    return Filled(name, rows, newest)


@click.group("warehouse", cls=CommandGroup)
def group() -> None:
    """The warehouse: make its tables, look at what is in them."""


@group.command("migrate")
@click.option("--yes", is_flag=True, help="Don't ask.")
def migrate_command(yes: bool) -> None:
    """Make the tables, or bring them up to date.

    Shows a plan and asks before anything is changed.
    """
    settings = Settings.from_environment()
    try:
        files = migrations.read(FOLDER)
        with connecting(address(settings), STATUS_SECONDS) as connection:
            known = migrations.applied(connection, SCHEMA)
        todo = migrations.pending(files, known)
        click.echo(_plan(files, known))
        if not todo:
            return
        if not yes:
            if not sys.stdin.isatty():
                raise click.ClickException("nothing was changed: run it again with --yes to carry out the plan")
            click.confirm("Carry out the plan?", abort=True)
        done = migrate(settings)
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"done: {len(done)} {'migration' if len(done) == 1 else 'migrations'}")


def _plan(files: Sequence[Migration], known: Sequence[Applied]) -> str:
    when = {each.version: each.applied_at for each in known}
    rows = [
        (each.file, f"applied {when[each.version]:%Y-%m-%d %H:%M:%S} UTC" if each.version in when else "to be applied")
        for each in files
    ]
    return table(("migration", "state"), rows)


@group.command("status")
def status_command() -> None:
    """Show the version, and how full and how fresh each table is.

    Exit status 1 if the warehouse can't be reached or isn't up to date.
    """
    settings = Settings.from_environment()
    try:
        files = migrations.read(FOLDER)
        with connecting(address(settings), STATUS_SECONDS) as connection:
            known = migrations.applied(connection, SCHEMA)
            todo = migrations.pending(files, known)
            filled = tables(connection) if known else []
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{settings.warehouse_url}, version {len(known)} of {len(files)}")
    if filled:
        now = datetime.now(UTC)
        rows = [(each.table, f"{each.rows:,}", _time(each.newest), _age(each.newest, now)) for each in filled]
        click.echo(table(("table", "rows", "newest event", "behind"), rows))
    if todo:
        raise click.ClickException(
            f"{len(todo)} of {len(files)} migrations are still to be applied, the first: {todo[0].file}; "
            "run `python -m ops warehouse migrate`"
        )


def _time(newest: datetime | None) -> str:
    return f"{newest:%Y-%m-%d %H:%M:%S} UTC" if newest else "–"


def _age(newest: datetime | None, now: datetime) -> str:
    return str(timedelta(seconds=max(0, round((now - newest).total_seconds())))) if newest else "–"
