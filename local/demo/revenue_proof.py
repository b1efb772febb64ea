"""Is each minute's revenue right? Sums the enriched orders anew, and holds topic and warehouse against it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from connectors.topics import MINUTE_MS
from events import CategoryRevenue, DeadLetter, EnrichedOrder
from local.demo.order_proof import some
from local.demo.proof import Finding

Minutes = Mapping[tuple[int, str, str], tuple[int, int, int]]
"""Orders, pieces and minor units by the minute's first millisecond, category and currency."""


def counted(complete: Iterable[EnrichedOrder], too_late: Iterable[str]) -> Minutes:
    """What the pipeline must say: of an order the first complete revision that was in time counts.

    Args:
        too_late: ids of the events that came when their minute was closed.
    """
    late = set(too_late)
    sums: defaultdict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    seen: set[str] = set()
    for order in sorted(complete, key=lambda order: order.revision):
        if order.event_id in late or order.order_id in seen:
            continue
        seen.add(order.order_id)
        minute = order.event_time - order.event_time % MINUTE_MS
        for category in {line.category for line in order.lines}:
            lines = [line for line in order.lines if line.category == category]
            row = sums[minute, category or "", order.currency]
            row[0] += 1
            row[1] += sum(line.quantity for line in lines)
            row[2] += sum(line.line_total_minor for line in lines)
    return {key: (orders, pieces, minor) for key, (orders, pieces, minor) in sums.items()}


def said(rows: Iterable[CategoryRevenue]) -> Minutes:
    """What it has said."""
    return {(row.window_start, row.category, row.currency): (row.orders, row.pieces, row.revenue_minor) for row in rows}


def late_ids(letters: Iterable[DeadLetter]) -> list[str]:
    """Of the enriched orders that the pipeline's dead letters are of."""
    return [msgspec.json.decode(letter.payload or b"", type=EnrichedOrder).event_id for letter in letters]


def findings(
    enriched: Sequence[EnrichedOrder],
    letters: Sequence[DeadLetter],
    rows: Sequence[CategoryRevenue],
    loaded: Minutes,
) -> Iterator[Finding]:
    """What must be so.

    Args:
        enriched: all that was read from `enriched-orders`.
        letters: the pipeline's dead letters.
        rows: all that was read from `revenue-per-minute`.
        loaded: the warehouse's minutes.
    """
    complete = {order.event_id: order for order in enriched if order.complete}
    late = late_ids(letters)
    unknown = set(late) - complete.keys()
    in_time = len(complete) - len(set(late))
    expected, topic = counted(complete.values(), late), said(rows)
    yield Finding(
        "complete orders = orders in a minute's revenue + dead letters, each too late for its minute",
        f"{len(complete):,} = {in_time:,} + {len(late):,}{some(unknown)}",
        not unknown and len(late) == len(set(late)),
    )
    yield Finding(
        "revenue per minute: of the enriched orders = in the topic = in the warehouse",
        f"{len(expected):,} = {len(topic):,} = {len(loaded):,} rows"
        f"{some(_differences(expected, topic))}{some(_differences(expected, loaded))}",
        expected == topic == loaded and len(rows) == len(topic),
    )


def _differences(expected: Minutes, found: Minutes) -> Iterator[str]:
    for key in expected.keys() | found.keys():
        if expected.get(key) != found.get(key):
            minute, category, currency = key
            yield f"{category} in {currency} at {minute}: {found.get(key)}, not {expected.get(key)}"
