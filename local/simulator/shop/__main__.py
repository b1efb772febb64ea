"""Simulated shop, which changes its database; see `python -m local.simulator.shop --help`."""

import time
from functools import partial
from pathlib import Path

import click

from connectors.outage import await_server
from connectors.postgres.client import DatabaseUnavailableError
from connectors.settings import Settings
from connectors.status_line import StatusLine
from connectors.stop_signal import stop_on_signal
from local.simulator.service import explaining_errors, real_time_options
from local.simulator.shop.database import make_tables
from local.simulator.shop.plan import ShopOptions
from local.simulator.shop.run import change_rows
from local.simulator.shop.shop_ledger import ShopSummary


def _describe(summary: ShopSummary) -> str:
    seconds = (summary.ended_at - summary.started_at) / 1000
    outcomes = ", ".join(f"{number:,} {outcome.replace('_', ' ')}" for outcome, number in summary.outcomes.items())
    return f"{'done' if summary.complete else 'stopped'} after {seconds:.1f} s: {outcomes or 'nothing'}"


@click.command()
@real_time_options("transactions", 10.0, "the rows at first and their changes, one JSON line a transaction")
@click.option(
    "--customers",
    type=click.IntRange(min=10),
    default=90_000,
    show_default=True,
    help="Number of customers that the shop begins with; by default all who order at 5 orders a second.",
)
@click.option("--tables-only", is_flag=True, help="Create the tables, fill them if they are empty, and change no rows.")
def main(
    *, rate: float, seconds: float, seed: int, ledger: Path, quiet: bool, customers: int, tables_only: bool
) -> None:
    """Create the shop's tables, fill them if they are empty, and keep changing their rows.

    Customers move, change and leave, products are sold, delivered, repriced, listed and removed, in transactions of
    one row to dozens, some of them rolled back, until the time is over or Ctrl-C is pressed. The service waits for a
    database that is unavailable, at its start and later. No other program may write to the tables meanwhile.
    """
    with explaining_errors(), stop_on_signal() as stop:
        settings = Settings.from_environment()
        line = StatusLine(quiet)
        fill = partial(make_tables, settings, customers)
        # With --tables-only, a missing database is reported at once.
        filled = (
            fill() if tables_only else await_server("the database", fill, DatabaseUnavailableError, line.show, stop)
        )
        line.end(", ".join(f"{rows:,} rows filled into {table}" for table, rows in filled.items()))
        if tables_only:
            return
        options = ShopOptions(start_ms=_now_ms(), rate=rate, seconds=seconds, seed=seed, customers=customers)
        summary = change_rows(options, settings, ledger=ledger, stop=stop, quiet=quiet)
        line.end(_describe(summary))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()
