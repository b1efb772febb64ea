"""`python -m local.services.shop`: make the shop's tables, fill them, and keep changing what is in them."""

import click
import psycopg

from connectors.settings import Settings
from local.services.shop.database import connect, prepare


@click.command()
@click.option(
    "--customers",
    type=click.IntRange(min=1),
    default=90_000,
    show_default=True,
    help="How many of the population the shop begins with; by default all who order at 5 orders a second.",
)
def main(customers: int) -> None:
    """Make the shop's tables and fill them if they are empty."""
    try:
        with connect(Settings.from_environment()) as connection:
            filled = prepare(connection, customers)
    except psycopg.Error as error:
        raise click.ClickException(str(error)) from error
    print(", ".join(f"{rows:,} rows in {table}" for table, rows in filled.items() if rows) or "nothing was missing")


if __name__ == "__main__":
    main()
