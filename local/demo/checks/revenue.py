"""Checks revenue per minute: sums the enriched orders again, and compares topic and warehouse with the result."""

from collections import Counter
from collections.abc import Iterator, Sequence

from events import CategoryRevenue, DeadLetter, EnrichedOrder
from local.demo.checks.finding import Finding, some
from local.oracles.orders import last_revisions
from local.oracles.revenue import ByMinute, by_minute, last_of, without_zeros


def findings(
    enriched: Sequence[EnrichedOrder],
    letters: Sequence[DeadLetter],
    rows: Sequence[CategoryRevenue],
    loaded: ByMinute,
) -> Iterator[Finding]:
    """Yield the checks of revenue per minute.

    Args:
        enriched: all that was read from `enriched-orders`.
        letters: the pipeline's dead letters.
        rows: all that was read from `revenue-per-minute`.
        loaded: the warehouse's minutes.
    """
    expected = by_minute(last_revisions(enriched).values())
    topic, stored = without_zeros(last_of(rows)), without_zeros(loaded)
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


def _differences(expected: ByMinute, found: ByMinute) -> Iterator[str]:
    for key in expected.keys() | found.keys():
        if expected.get(key) != found.get(key):
            minute, category, currency = key
            yield f"{category} in {currency} at {minute}: {found.get(key)}, not {expected.get(key)}"
