"""Revenue of enriched orders, summed by category and currency, and by minute."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from connectors.kafka.topics import MINUTE_MS
from events import CategoryRevenue, EnrichedOrder

ByCategory = Mapping[tuple[str, str], int]
"""Revenue in minor units, by category and currency; category `unknown` for lines without a known product."""
ByMinute = Mapping[tuple[int, str, str], tuple[int, int, int]]
"""Orders, pieces and minor units by the minute's first millisecond, category and currency."""


def by_category(orders: Iterable[EnrichedOrder]) -> ByCategory:
    """Return the revenue of all lines.

    Args:
        orders: each in its last revision.
    """
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for order in orders:
        for line in order.lines:
            sums[line.category or "unknown", order.currency] += line.line_total_minor
    return dict(sums)


def by_minute(orders: Iterable[EnrichedOrder]) -> ByMinute:
    """Return what the pipeline must have emitted in the end, without rows that corrections have set to zero.

    Args:
        orders: each in its last revision; only complete ones count.
    """
    sums: defaultdict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for order in orders:
        if not order.complete:
            continue
        minute = order.event_time - order.event_time % MINUTE_MS
        for category in {line.category for line in order.lines}:
            lines = [line for line in order.lines if line.category == category]
            row = sums[minute, category or "", order.currency]
            row[0] += 1
            row[1] += sum(line.quantity for line in lines)
            row[2] += sum(line.line_total_minor for line in lines)
    return {key: (orders, pieces, minor) for key, (orders, pieces, minor) in sums.items()}


def last_of(rows: Iterable[CategoryRevenue]) -> ByMinute:
    """Return the last revision of each row that the pipeline emitted."""
    return {
        (row.window_start, row.category, row.currency): (row.orders, row.pieces, row.revenue_minor)
        for row in sorted(rows, key=lambda row: row.revision)
    }


def without_zeros(minutes: ByMinute) -> ByMinute:
    """Return the minutes without those that corrections have set to zero."""
    return {key: figures for key, figures in minutes.items() if any(figures)}
