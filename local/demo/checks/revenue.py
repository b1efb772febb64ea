"""Checks revenue per minute: sums the enriched orders again, and compares topic and warehouse with the result."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.kafka.topics import MINUTE_MS
from events import CategoryRevenue, DeadLetter, EnrichedOrder
from local.demo.checks.orders import last_revisions, some
from local.demo.checks.payments import Finding

Minutes = Mapping[tuple[int, str, str], tuple[int, int, int]]
"""Orders, pieces and minor units by the minute's first millisecond, category and currency."""


def counted(complete: Iterable[EnrichedOrder]) -> Minutes:
    """Return what the pipeline must have emitted in the end.

    Args:
        complete: orders in their last revision.
    """
    sums: defaultdict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for order in complete:
        minute = order.event_time - order.event_time % MINUTE_MS
        for category in {line.category for line in order.lines}:
            lines = [line for line in order.lines if line.category == category]
            row = sums[minute, category or "", order.currency]
            row[0] += 1
            row[1] += sum(line.quantity for line in lines)
            row[2] += sum(line.line_total_minor for line in lines)
    return {key: (orders, pieces, minor) for key, (orders, pieces, minor) in sums.items()}


def said(rows: Iterable[CategoryRevenue]) -> Minutes:
    """Return what the pipeline has emitted: of each minute the greatest revision."""
    return {
        (row.window_start, row.category, row.currency): (row.orders, row.pieces, row.revenue_minor)
        for row in sorted(rows, key=lambda row: row.revision)
    }


def findings(
    enriched: Sequence[EnrichedOrder],
    letters: Sequence[DeadLetter],
    rows: Sequence[CategoryRevenue],
    loaded: Minutes,
) -> Iterator[Finding]:
    """Yield the checks of revenue per minute.

    Args:
        enriched: all that was read from `enriched-orders`.
        letters: the pipeline's dead letters.
        rows: all that was read from `revenue-per-minute`.
        loaded: the warehouse's minutes.
    """
    complete = [order for order in last_revisions(enriched).values() if order.complete]
    expected, topic, stored = counted(complete), _sold(said(rows)), _sold(loaded)
    corrections = sum(count - 1 for count in Counter(row.event_id for row in rows).values())
    yield Finding(
        "no order is too late for its minute's revenue",
        f"{len(letters):,} dead letters, {corrections:,} corrected rows",
        not letters,
    )
    yield Finding(
        "revenue per minute: of the enriched orders = in the topic = in the warehouse",
        f"{len(expected):,} = {len(topic):,} = {len(stored):,} rows"
        f"{some(_differences(expected, topic))}{some(_differences(expected, stored))}",
        expected == topic == stored,
    )


def _sold(minutes: Minutes) -> Minutes:
    """Return the minutes without those that corrections have set to zero."""
    return {key: figures for key, figures in minutes.items() if any(figures)}


def _differences(expected: Minutes, found: Minutes) -> Iterator[str]:
    for key in expected.keys() | found.keys():
        if expected.get(key) != found.get(key):
            minute, category, currency = key
            yield f"{category} in {currency} at {minute}: {found.get(key)}, not {expected.get(key)}"
