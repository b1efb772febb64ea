"""What the enrichment job must say, as plainly as it can be written: no Flink, no time but that of the events.

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
from typing import Generic, TypeVar

import msgspec

from events import CustomerVersion, EnrichedLine, EnrichedOrder, Order, OrderLine, ProductVersion

VersionT = TypeVar("VersionT", CustomerVersion, ProductVersion)

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Known(Generic[VersionT]):
    """What is known of one customer or product: at once, and in the end."""

    at_once: VersionT | None
    found_later: VersionT | None

    @property
    def in_the_end(self) -> VersionT | None:
        """Either."""
        return self.at_once or self.found_later


class Table(Generic[VersionT]):
    """Versions of rows."""

    def __init__(self, versions: Iterable[tuple[str, VersionT]]) -> None:
        self._versions: defaultdict[str, list[VersionT]] = defaultdict(list)
        for key, version in versions:
            if all(version.lsn > other.lsn for other in self._versions[key]):
                self._versions[key].append(version)

    def known(self, key: str, at_ms: int, bound_ms: int) -> Known[VersionT]:
        """Of a key at a moment."""
        until = [version for version in self._versions[key] if version.event_time <= at_ms]
        last = max(until, key=lambda version: version.lsn, default=None)
        if last is not None and not last.deleted:
            return Known(last, None)
        after = [version for version in self._versions[key] if at_ms < version.event_time]
        following = min(after, key=lambda version: version.event_time, default=None)
        if following is None or following.deleted or following.event_time > at_ms + bound_ms:
            return Known(None, None)
        return Known(None, following)


class OrderOracle:
    """Knows all versions, those to come as well."""

    def __init__(
        self,
        customers: Iterable[CustomerVersion],
        products: Iterable[ProductVersion],
        missing_data_hours: int = 24,
    ) -> None:
        self._customers = Table((version.customer_id, version) for version in customers)
        self._products = Table((version.product_id, version) for version in products)
        self._bound_ms = missing_data_hours * HOUR_MS

    def enriched(self, orders: Iterable[Order]) -> Iterator[EnrichedOrder]:
        """All that goes out, for orders in the order of their arrival, if none of them comes late."""
        for order in _first_of_each(orders):
            first, last = self._revision(order, 1), self._revision(order, 2)
            yield first
            if not first.complete and last.complete:
                yield last

    def in_the_end(self, order: Order) -> EnrichedOrder:
        """What counts of an order, `without_revision`."""
        first, last = self._revision(order, 1), self._revision(order, 2)
        return without_revision(last if last.complete else first)

    def _revision(self, order: Order, revision: int) -> EnrichedOrder:
        customer = _choose(self._customers.known(order.customer_id, order.event_time, self._bound_ms), revision)
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
        product = _choose(self._products.known(line.product_id, order.event_time, self._bound_ms), revision)
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


def without_revision(row: EnrichedOrder) -> EnrichedOrder:
    """A row that is the same in whichever revision it was said, and whatever capture had reached by then."""
    return msgspec.structs.replace(row, event_id=row.order_id, revision=1, provisional=False)


def _choose(known: Known[VersionT], revision: int) -> VersionT | None:
    return known.at_once if revision == 1 else known.in_the_end


def _first_of_each(orders: Iterable[Order]) -> Sequence[Order]:
    first: dict[str, Order] = {}
    for order in orders:
        first.setdefault(order.order_id, order)
    return list(first.values())
