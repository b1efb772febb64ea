"""Compares the warehouse's figures with each other and with the shop's database."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.warehouse.figures import Checksum, Figures


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
