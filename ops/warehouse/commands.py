"""Commands `warehouse`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
import psycopg

from connectors.postgres.client import connecting
from connectors.settings import Settings
from ops.cli import CommandGroup, ask_before_changing
from ops.formats import table, utc
from ops.warehouse import migrations
from ops.warehouse.checks import checks
from ops.warehouse.database import FOLDER, SCHEMA, address, migrate, tables
from ops.warehouse.figures import figures, shop
from ops.warehouse.migrations import Applied, Migration

STATUS_SECONDS = 60
"""Time limit of a statement that only reads, in seconds."""


@click.group("warehouse", cls=CommandGroup)
def warehouse() -> None:
    """Migrate the warehouse, and check what is in it."""


@warehouse.command("migrate")
@click.option("--yes", is_flag=True, help="Carry out the plan without asking.")
def warehouse_migrate(yes: bool) -> None:
    """Create the tables, or bring them up to date.

    Shows a plan and asks before it changes anything.
    """
    settings = Settings.from_environment()
    files = migrations.read(FOLDER)
    with connecting(address(settings), STATUS_SECONDS) as connection:
        known = migrations.applied(connection, SCHEMA)
    todo = migrations.pending(files, known)
    click.echo(_plan(files, known))
    if not todo:
        return
    ask_before_changing(yes)
    done = migrate(settings)
    click.echo(f"done: {len(done)} {'migration' if len(done) == 1 else 'migrations'}")


def _plan(files: Sequence[Migration], known: Sequence[Applied]) -> str:
    when = {each.version: each.applied_at for each in known}
    rows = [
        (each.file, f"applied {utc(when[each.version])}" if each.version in when else "to be applied") for each in files
    ]
    return table(("migration", "state"), rows)


@warehouse.command("status")
def warehouse_status() -> None:
    """Show the version, and rows and newest event of each table.

    Exit status 1 if the warehouse can't be reached or isn't up to date.
    """
    settings = Settings.from_environment()
    files = migrations.read(FOLDER)
    with connecting(address(settings), STATUS_SECONDS) as connection:
        known = migrations.applied(connection, SCHEMA)
        todo = migrations.pending(files, known)
        filled = tables(connection) if known else []
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
    return utc(newest) if newest else "–"


def _age(newest: datetime | None, now: datetime) -> str:
    return str(timedelta(seconds=max(0, round((now - newest).total_seconds())))) if newest else "–"


@warehouse.command("checks")
def warehouse_checks() -> None:
    """Compare the warehouse's figures with the shop's database.

    Exit status 1 if they differ. They also differ while changes are still being loaded: then try again.
    """
    settings = Settings.from_environment()
    try:
        found, (customers, products) = figures(settings), shop(settings)
    except psycopg.errors.UndefinedTable as error:
        raise click.ClickException(
            f"{error.diag.message_primary}: `python -m ops warehouse migrate` creates the warehouse's tables, the shop "
            "creates its own"
        ) from error
    click.echo(f"{found.orders:,} orders, {found.incomplete_orders:,} of them incomplete")
    revenue = [
        (category, currency, f"{amount:,}") for (category, currency), amount in sorted(found.revenue_minor.items())
    ]
    click.echo(table(("category", "currency", "revenue in minor units"), revenue))
    done = list(checks(found, customers, products))
    click.echo(table(("", "claim", "found"), [("ok" if each.holds else "NO", each.claim, each.found) for each in done]))
    if not all(each.holds for each in done):
        raise click.ClickException("the warehouse doesn't agree with its sources")
