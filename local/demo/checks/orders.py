"""Checks enriched orders against the ledgers of the order service and the shop. Knows no Kafka."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import asdict, replace

from events import EnrichedLine, EnrichedOrder, Order, OrderLine
from local.demo.checks.payments import Finding
from local.simulator.ledger import LedgerContent
from local.simulator.shop.rows import CustomerRow, ProductRow, Row
from local.simulator.shop.shop_ledger import ShopLedgerContent, Version
from local.simulator.world.places import HOUR_MS

Revenue = Mapping[tuple[str, str], int]
"""Revenue in minor units, by category and currency."""


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
    found: dict[str, Expectation] = {}
    for order in orders.orders:
        if order.order_id not in found:
            found[order.order_id] = _expectation(order, shop.versions, within_hours * HOUR_MS)
    return found


def last_revisions(enriched: Iterable[EnrichedOrder]) -> dict[str, EnrichedOrder]:
    """Return the last revision of each order, by order id."""
    return {order.order_id: order for order in sorted(enriched, key=lambda order: order.revision)}


def revenue(orders: Iterable[EnrichedOrder]) -> Revenue:
    """Return the revenue of the complete orders' lines."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for order in orders:
        for line in order.lines if order.complete else ():
            sums[line.category or "", order.currency] += line.line_total_minor
    return dict(sums)


def findings(expected: Mapping[str, Expectation], enriched: Sequence[EnrichedOrder]) -> Iterator[Finding]:
    """Yield the checks of all records of `enriched-orders`."""
    last = last_revisions(enriched)
    yield Finding(
        "orders sent = orders enriched",
        f"{len(expected):,} = {len(last):,}{some(expected.keys() ^ last.keys())}",
        expected.keys() == last.keys(),
    )
    revisions = _revisions(enriched)
    repeated = [event_id for event_id, count in Counter(order.event_id for order in enriched).items() if count > 1]
    needless = [order_id for order_id, each in revisions.items() if not _each_differs(each)]
    yield Finding(
        "each revision is there once, and says otherwise than the one before",
        f"{len(enriched):,} rows{_corrections(revisions.values())}{some([*repeated, *needless])}",
        not repeated and not needless,
    )
    wrong = {
        order_id: difference
        for order_id in sorted(expected.keys() & last.keys())
        if (difference := _difference(expected[order_id].result, last[order_id]))
    }
    yield Finding(
        "names, tiers, categories and prices are those of the order's time",
        f"{len(last) - len(wrong):,} of {len(last):,}{some(f'{order_id}: {each}' for order_id, each in wrong.items())}",
        not wrong,
    )
    first = {each.order_id: each for each in enriched if each.revision == 1}
    early = {order_id: each for order_id, each in expected.items() if each.unknown_at_first}
    silent = {order_id for order_id, each in early.items() if not _says(first.get(order_id), each.unknown_at_first)}
    later = sum(1 for order_id in early.keys() & last.keys() if last[order_id].complete)
    yield Finding(
        "orders of what the shop didn't know yet went out at once",
        f"{len(early) - len(silent):,} of {len(early):,}, {later:,} of them are complete by now{some(silent)}",
        not silent,
    )


def _revisions(enriched: Iterable[EnrichedOrder]) -> dict[str, list[EnrichedOrder]]:
    """Return the revisions by order id, the first revision first."""
    found: defaultdict[str, list[EnrichedOrder]] = defaultdict(list)
    for order in sorted(enriched, key=lambda order: order.revision):
        found[order.order_id].append(order)
    return dict(found)


def _each_differs(revisions: Sequence[EnrichedOrder]) -> bool:
    contents = [replace(each, event_id="", revision=1, provisional=False) for each in revisions]
    return all(before != after for before, after in pairwise(contents))


def _corrections(orders: Iterable[Sequence[EnrichedOrder]]) -> str:
    """Describe how many orders were complete but provisional, and how many of those a later revision corrected."""
    marks = [[each.complete and each.provisional for each in revisions] for revisions in orders]
    provisional = sum(any(each) for each in marks)
    corrected = sum(any(each[:-1]) for each in marks)
    return f", {provisional:,} orders provisional, {corrected:,} of them corrected" if provisional else ""


def some(names: Iterable[str]) -> str:
    """Describe the first of some wrong items, to be appended to a count; empty if there are none."""
    ordered = sorted(set(names))
    return f"; {len(ordered):,} wrong, such as {ordered[0]}" if ordered else ""


def _says(first: EnrichedOrder | None, missing: tuple[str, ...]) -> bool:
    return first is not None and not first.complete and first.missing == missing


def _difference(expected: EnrichedOrder, found: EnrichedOrder) -> str:
    """Describe the values that differ; empty if none does."""
    wanted = _values(expected) | {"revision": found.revision, "event_id": f"{expected.order_id}-{found.revision}"}
    actual = _values(found)
    return "; ".join(
        f"{name} is {actual.get(name)!r}, not {wanted.get(name)!r}"
        for name in sorted(wanted.keys() | actual.keys())
        if actual.get(name) != wanted.get(name)
    )


def _values(order: EnrichedOrder) -> dict[str, object]:
    """Return an order's values by name, its lines included; without positions in the database's log."""
    lines = {f"line {line.line_number} {name}": value for line in order.lines for name, value in asdict(line).items()}
    values: dict[str, object] = asdict(order) | {"lines": len(order.lines)} | lines
    return {name: value for name, value in values.items() if not name.endswith("_lsn") and name != "provisional"}


def _expectation(order: Order, versions: Mapping[str, Sequence[Version]], within_ms: int) -> Expectation:
    def rows(patience_ms: int) -> dict[str, Row | None]:
        return {key: _valid_at(versions.get(key, ()), order.event_time, patience_ms) for key in _named(order)}

    at_first, in_the_end = rows(0), rows(within_ms)
    # An order is completed as a whole: if anything stays unknown, it stays as it was.
    known = in_the_end if not _missing(order, in_the_end) else at_first
    return Expectation(_enriched(order, known), _missing(order, at_first))


def _valid_at(versions: Sequence[Version], at_ms: int, patience_ms: int) -> Row | None:
    """Return the row as it was at that time; if it didn't exist, as it was entered at most `patience_ms` later."""
    before = [version for version in versions if (version.valid_from or 0) <= at_ms]
    if before and not before[-1].is_deleted:
        return before[-1].row
    return next((each.row for each in versions[len(before) :] if (each.valid_from or 0) <= at_ms + patience_ms), None)


def _named(order: Order) -> dict[str, str]:
    """Return the keys of the order's customer and products, each with its name in `missing`."""
    products = {line.product_id: f"product:{line.product_id}" for line in order.lines}
    return {order.customer_id: f"customer:{order.customer_id}"} | products


def _missing(order: Order, rows: Mapping[str, Row | None]) -> tuple[str, ...]:
    return tuple(said for key, said in _named(order).items() if rows[key] is None)


def _enriched(order: Order, rows: Mapping[str, Row | None]) -> EnrichedOrder:
    """Return the expected result when these rows are known."""
    customer = rows[order.customer_id]
    assert customer is None or isinstance(customer, CustomerRow)
    lines = tuple(_line(line, rows[line.product_id]) for line in order.lines)
    missing = _missing(order, rows)
    total = sum(line.line_total_minor for line in lines)
    return EnrichedOrder(
        event_id=f"{order.order_id}-1",
        event_time=order.event_time,
        revision=1,
        complete=not missing,
        missing=missing,
        order_id=order.order_id,
        customer_id=order.customer_id,
        customer_name=customer.name if customer else None,
        customer_tier=customer.tier if customer else None,
        customer_country=customer.country if customer else None,
        customer_lsn=None,
        currency=order.currency,
        total_minor=order.total_minor,
        lines_total_minor=total,
        totals_agree=total == order.total_minor,
        shipping_country=order.shipping_country,
        lines=lines,
    )


def _line(line: OrderLine, product: Row | None) -> EnrichedLine:
    assert product is None or isinstance(product, ProductRow)
    return EnrichedLine(
        line_number=line.line_number,
        product_id=line.product_id,
        name=product.name if product else None,
        category=product.category if product else None,
        list_price_minor=product.price_minor if product else None,
        list_price_currency=product.currency if product else None,
        product_lsn=None,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        line_total_minor=line.quantity * line.unit_price_minor,
    )
