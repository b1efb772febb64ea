"""Compares the warehouse's figures with each other and with the shop's database."""

from collections.abc import Iterator
from dataclasses import dataclass

import click
import psycopg

from connectors.settings import Settings
from ops.tables import table
from ops.warehouse.figures import Checksum, Figures, figures, shop


@dataclass(frozen=True)
class Check:
    """One comparison of two figures."""

    claim: str
    found: str
    holds: bool


def checks(found: Figures, customers: Checksum, products: Checksum) -> Iterator[Check]:
    """Yield the comparisons that must hold once all changes have arrived.

    Args:
        found: figures of the warehouse.
        customers: checksum in the shop's database.
        products: checksum in the shop's database.
    """
    yield Check(
        "the lines of each order add up to its total",
        f"{found.orders - found.orders_without_all_lines:,} of {found.orders:,}",
        found.orders_without_all_lines == 0,
    )
    yield Check("dim_customer = shop.customers", f"{found.customers} = {customers}", found.customers == customers)
    yield Check("dim_product = shop.products", f"{found.products} = {products}", found.products == products)


@click.command("checks")
def command() -> None:
    """Show what the warehouse says, and hold it against the shop's database.

    Exit status 1 if it doesn't agree. Changes that are still under way make that happen too: try again then.
    """
    settings = Settings.from_environment()
    try:
        found, (customers, products) = figures(settings), shop(settings)
    except psycopg.errors.UndefinedTable as error:
        raise click.ClickException(
            f"{error.diag.message_primary}: `python -m ops warehouse migrate` makes the warehouse's tables, the shop "
            "makes its own"
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
