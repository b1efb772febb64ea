"""Enriched orders that the enrichment job must emit, by no time but that of the events.

- Of orders with one id the first to arrive counts.
- What is known of a customer or product at a moment is the version until then that has the greatest lsn. If that is a
  deletion or there is none, it is missing, and an incomplete order goes out as revision 1.
- If the first version after that moment comes within the bound and is no deletion, it is found; if all that was missing
  is found, the order goes out again as revision 2.

A version that comes late leads to more revisions, so what an order comes to in the end is always the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec.structs import asdict, replace

from events import CustomerVersion, EnrichedLine, EnrichedOrder, Order, OrderLine, ProductVersion
from local.oracles.row_versions import Version, accepted, found_later, valid
from local.simulator.ledger import LedgerContent
from local.simulator.shop.rows import CustomerRow
from local.simulator.shop.shop_ledger import ShopLedgerContent

VersionT = TypeVar("VersionT", CustomerVersion, ProductVersion)


class Table(Generic[VersionT]):
    """Versions of the rows of one table."""

    def __init__(self, versions: Iterable[tuple[str, VersionT]]) -> None:
        self._versions: defaultdict[str, list[VersionT]] = defaultdict(list)
        for key, version in versions:
            self._versions[key].append(version)

    def known(self, key: str, at_ms: int, hours: int) -> tuple[VersionT | None, VersionT | None]:
        """Return the version of a row that an order at that time finds at once, and the one that it finds in the end.

        Args:
            hours: maximum time after the order in which the row may still be entered.
        """
        arrived = self._versions.get(key, ())
        versions = accepted(Version(each.lsn, each.event_time, each.deleted) for each in arrived)
        by_lsn: dict[int | None, VersionT] = {each.lsn: each for each in reversed(arrived)}
        at_once = by_lsn.get(valid(versions, at_ms))
        return at_once, at_once or by_lsn.get(found_later(versions, at_ms, hours))


class OrderOracle:
    """Expected orders, from all versions, those to come as well."""

    def __init__(
        self,
        customers: Iterable[CustomerVersion],
        products: Iterable[ProductVersion],
        missing_data_hours: int = 24,
    ) -> None:
        self._customers = Table((version.customer_id, version) for version in customers)
        self._products = Table((version.product_id, version) for version in products)
        self._hours = missing_data_hours

    def enriched(self, orders: Iterable[Order]) -> Iterator[EnrichedOrder]:
        """Yield all revisions, for orders in the order of their arrival, none of them late."""
        for order in _first_of_each(orders):
            first, last = self._revision(order, 1), self._revision(order, 2)
            yield first
            if not first.complete and last.complete:
                yield last

    def in_the_end(self, order: Order) -> EnrichedOrder:
        """Return the last revision of an order, `without_revision`."""
        first, last = self._revision(order, 1), self._revision(order, 2)
        return without_revision(last if last.complete else first)

    def _revision(self, order: Order, revision: int) -> EnrichedOrder:
        customer = self._customers.known(order.customer_id, order.event_time, self._hours)[revision - 1]
        lines = [self._line(order, line, revision) for line in order.lines]
        missing = [] if customer else [f"customer:{order.customer_id}"]
        missing += [f"product:{line.product_id}" for line in lines if line.name is None]
        total = sum(line.line_total_minor for line in lines)
        return EnrichedOrder(
            event_id=f"{order.order_id}-{revision}",
            event_time=order.event_time,
            revision=revision,
            complete=not missing,
            missing=tuple(dict.fromkeys(missing)),
            order_id=order.order_id,
            customer_id=order.customer_id,
            customer_name=None if customer is None else customer.name,
            customer_tier=None if customer is None else customer.tier,
            customer_country=None if customer is None else customer.country,
            customer_lsn=None if customer is None else customer.lsn,
            currency=order.currency,
            total_minor=order.total_minor,
            lines_total_minor=total,
            totals_agree=order.total_minor == total,
            shipping_country=order.shipping_country,
            lines=tuple(lines),
        )

    def _line(self, order: Order, line: OrderLine, revision: int) -> EnrichedLine:
        product = self._products.known(line.product_id, order.event_time, self._hours)[revision - 1]
        return EnrichedLine(
            line_number=line.line_number,
            product_id=line.product_id,
            name=None if product is None else product.name,
            category=None if product is None else product.category,
            list_price_minor=None if product is None else product.price_minor,
            list_price_currency=None if product is None else product.currency,
            product_lsn=None if product is None else product.lsn,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            line_total_minor=line.quantity * line.unit_price_minor,
        )


@dataclass(frozen=True)
class Expectation:
    """Expected result for an order, according to the ledgers."""

    result: EnrichedOrder
    """Final result, as revision 1, and without positions in the database's log, which no ledger contains."""
    unknown_at_first: tuple[str, ...]
    """What the shop hadn't entered when the order was placed, in the form of `missing`."""


def expectations(orders: LedgerContent, shop: ShopLedgerContent, within_hours: int) -> dict[str, Expectation]:
    """Return the expected results by order id. Of an order that was sent more than once, the first counts.

    Args:
        within_hours: maximum time after an order in which its customer and products may still be entered.
    """
    oracle = OrderOracle(*row_versions(shop), within_hours)
    found = {}
    for order in _first_of_each(orders.orders):
        first, *later = oracle.enriched([order])
        found[order.order_id] = Expectation(_without_positions((later or [first])[-1]), first.missing)
    return found


def row_versions(shop: ShopLedgerContent) -> tuple[list[CustomerVersion], list[ProductVersion]]:
    """Return the versions of the shop's rows as events; `lsn` is the number of the version of its row."""
    customers, products = [], []
    for key, versions in shop.versions.items():
        for lsn, version in enumerate(versions, start=1):
            values: dict[str, Any] = asdict(version.row) | {
                "event_id": f"{key}-{lsn}",
                "event_time": version.valid_from or 0,
                "op": "d" if version.is_deleted else "u",
                "lsn": lsn,
                "deleted": version.is_deleted,
            }
            if isinstance(version.row, CustomerRow):
                customers.append(CustomerVersion(**values))
            else:
                products.append(ProductVersion(**values))
    return customers, products


def last_revisions(enriched: Iterable[EnrichedOrder]) -> dict[str, EnrichedOrder]:
    """Return the last revision of each order, by order id."""
    return {order.order_id: order for order in sorted(enriched, key=lambda order: order.revision)}


def without_revision(row: EnrichedOrder) -> EnrichedOrder:
    """Return the order without what depends on the number of revisions, or on how far capture was."""
    return replace(row, event_id=row.order_id, revision=1, provisional=False)


def _without_positions(order: EnrichedOrder) -> EnrichedOrder:
    lines = tuple(replace(line, product_lsn=None) for line in order.lines)
    return replace(order, event_id=f"{order.order_id}-1", revision=1, customer_lsn=None, lines=lines)


def _first_of_each(orders: Iterable[Order]) -> Sequence[Order]:
    first: dict[str, Order] = {}
    for order in orders:
        first.setdefault(order.order_id, order)
    return list(first.values())
