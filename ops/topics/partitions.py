"""Recommends a partition count for a topic, and warns of problems that more partitions can't solve."""

import math
from dataclasses import dataclass, replace

CATCH_UP = 2
"""Factor by which a consumer must be faster than the load: with 2, catching up takes as long as the outage took."""

PARTITION_BYTES_PER_SECOND = 10_000_000
"""Bytes that one partition carries easily: a common rule of thumb; measure yours."""

MOST_PARTITIONS = 10_000
"""Maximum partition count of one topic; beyond it, use several topics."""


@dataclass(frozen=True)
class Load:
    """Load of one topic, now and later."""

    events_per_second: float
    """Events per second at the busiest time of today."""
    average_bytes: float
    """Average size of a record, key and headers included, compressed as it is sent."""
    consumer_events_per_second: float
    """Events per second that one instance of the slowest consumer processes, measured."""
    partition_bytes_per_second: float = PARTITION_BYTES_PER_SECOND
    growth: float = 1.0
    """Factor of growth per year: 1 means no growth, 2 doubles each year."""
    months: int = 12
    """Months for which the count must suffice: adding partitions later moves keys."""
    hot_key_share: float | None = None
    """Share of the records that have the most frequent key, 0 to 1."""
    keys: int | None = None
    """Number of different keys."""

    def __post_init__(self) -> None:
        for name in ("events_per_second", "average_bytes", "consumer_events_per_second", "partition_bytes_per_second"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.growth <= 0 or self.months < 0:
            raise ValueError(f"growth must be above 0 and months not below 0, not {self.growth} and {self.months}")
        if self.hot_key_share is not None and not 0 < self.hot_key_share <= 1:
            raise ValueError(f"the hot key's share must be above 0 and at most 1, not {self.hot_key_share}")
        if self.keys is not None and self.keys < 1:
            raise ValueError(f"there must be at least 1 key, not {self.keys}")

    def expected(self) -> float:
        """Return the events per second at the busiest time of the next `months`."""
        return float(self.events_per_second * max(1.0, self.growth ** (self.months / 12)))


@dataclass(frozen=True)
class Recommendation:
    """A partition count and its calculation."""

    partitions: int
    needed: int
    """Count that the calculation gives, before it is rounded to one with many divisors."""
    reasons: tuple[str, ...]
    """Calculation, in words."""
    warnings: tuple[str, ...]


def recommend(load: Load, current: int | None = None) -> Recommendation:
    """Return how many partitions the load needs. `current` is the topic's count; too few give a warning.

    Raises:
        ValueError: the load is too much for one topic.
    """
    expected = load.expected()
    for_consumers = math.ceil(expected * CATCH_UP / load.consumer_events_per_second)
    for_bytes = math.ceil(expected * load.average_bytes / load.partition_bytes_per_second)
    needed = max(for_consumers, for_bytes, 1)
    if needed > MOST_PARTITIONS:
        raise ValueError(f"{needed:,} partitions would be needed, more than {MOST_PARTITIONS:,}: use several topics")
    partitions = min(_with_many_divisors(needed), load.keys or MOST_PARTITIONS)
    reasons = (
        f"load: {load.events_per_second:,.0f} events/s, ×{load.growth:g} a year for {load.months} months"
        f" = {expected:,.0f} events/s",
        f"consumers: {expected:,.0f} events/s × {CATCH_UP} to catch up after an outage"
        f" ÷ {load.consumer_events_per_second:,.0f} events/s a consumer = {_partitions(for_consumers)}",
        f"bytes: {expected:,.0f} events/s × {load.average_bytes:,.0f} bytes"
        f" ÷ {load.partition_bytes_per_second:,.0f} bytes/s a partition = {_partitions(for_bytes)}",
        f"recommended: {_partitions(partitions)}, divided evenly by a parallelism of {_listed(_divisors(partitions))}",
    )
    warnings = (*_too_few(load, needed, current), *_hot_key(load), *_few_keys(load, needed))
    return Recommendation(partitions, needed, reasons, warnings)


def _with_many_divisors(needed: int) -> int:
    """Return the count, up to a third more, that the most parallelisms divide evenly; the smallest of several."""
    return max(range(needed, needed + needed // 3 + 1), key=lambda count: (len(_divisors(count)), -count))


def _too_few(load: Load, needed: int, current: int | None) -> tuple[str, ...]:
    if current is None or current >= needed:
        return ()
    today = recommend(replace(load, growth=1.0)).needed
    when = "already now" if current < today else f"within {load.months} months"
    return (
        f"under-partitioned: the topic has {_partitions(current)}, {needed} are needed {when};"
        " adding some later moves keys to other partitions, so do it before the order by key matters",
    )


def _hot_key(load: Load) -> tuple[str, ...]:
    if load.hot_key_share is None:
        return ()
    rate = load.expected() * load.hot_key_share
    limit = min(load.consumer_events_per_second, load.partition_bytes_per_second / load.average_bytes)
    sum_in_words = f"{load.hot_key_share:.1%} of {load.expected():,.0f} events/s = {rate:,.0f} events/s"
    if rate > limit:
        return (
            f"hot key: {sum_in_words}, and one key is one partition is one consumer, which carries {limit:,.0f}:"
            " more partitions can't help; make the consumer faster, or split the key and join the parts after it",
        )
    if rate * CATCH_UP > limit:
        return (
            f"hot key: {sum_in_words}; its partition and consumer carry {limit:,.0f}, too few to catch up after an"
            " outage, and more partitions can't help",
        )
    return ()


def _few_keys(load: Load, needed: int) -> tuple[str, ...]:
    if load.keys is None or load.keys >= needed:
        return ()
    return (
        f"few keys: {needed} partitions are needed, but there are only {load.keys:,} keys, and a key is in one"
        " partition: more partitions would stay empty; choose a finer key",
    )


def _partitions(count: int) -> str:
    return f"{count:,} partition" if count == 1 else f"{count:,} partitions"


def _divisors(count: int) -> list[int]:
    small = [number for number in range(1, math.isqrt(count) + 1) if count % number == 0]
    return sorted({*small, *(count // number for number in small)})


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers[:8]) + (" …" if len(numbers) > 8 else "")
