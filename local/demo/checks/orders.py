"""Checks enriched orders against the ledgers of the order service and the shop. Knows no Kafka."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec.structs import asdict, replace

from events import EnrichedOrder
from local.demo.checks.finding import Finding, some
from local.oracles.orders import Expectation, last_revisions


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
        "each revision is there once, and differs from the one before",
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
    silent = {
        order_id for order_id, each in early.items() if not _names_missing(first.get(order_id), each.unknown_at_first)
    }
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


def _names_missing(first: EnrichedOrder | None, missing: tuple[str, ...]) -> bool:
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
