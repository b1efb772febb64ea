"""Targets of the fraud job, and whether the results reach them."""

from collections.abc import Sequence
from itertools import pairwise

from tests.bench.reports.results import HALF, OURS, Growth, Latency, Report, Target, Throughput, series_of

LEAST_RATIOS = {
    "bytewax": 1.5,
    "quixstreams": 4.0,
    "over windows": 3.0,
    "keyed process": 3.0,
    "decode": 0.7,
    "plain loop": 0.6,
}
"""Contender → minimum ratio of our payments a CPU-second to theirs, on one core."""
MOST_P99_MS = 100.0
"""Maximum p99 of latency at half the sustainable rate."""
FLAT = 0.8
"""Minimum share of the throughput with the fewest cards that remains with the most."""


def compare(report: Report) -> list[Target]:
    """Return each target with what was measured."""
    return [
        *_against_others(report.throughput),
        _quick(report.latency),
        *(_growing(report.growth, grows) for grows in ("rules", "events a card")),
        *(_flat(report.growth, backend) for backend in ("hashmap", "rocksdb")),
    ]


def _against_others(results: Sequence[Throughput]) -> list[Target]:
    one_core = [each for each in results if each.parallelism == 1]
    ours = {each.payments: each.records_a_cpu_second for each in one_core if each.contender == OURS}
    ratios = {
        each.contender: ours[each.payments] / each.records_a_cpu_second for each in one_core if each.payments in ours
    }
    return [
        Target(
            what=f"payments a CPU-second, to {contender}",
            wanted=wanted,
            is_least=True,
            measured=ratios.get(contender),
        )
        for contender, wanted in LEAST_RATIOS.items()
    ]


def _quick(results: Sequence[Latency]) -> Target:
    half = [each for each in results if each.contender == OURS and each.load == HALF and each.when == "steady"]
    return Target(
        what="p99 at half the sustainable rate, ms",
        wanted=MOST_P99_MS,
        is_least=False,
        measured=half[0].p99_ms if half else None,
    )


def _growing(results: Sequence[Growth], grows: str) -> Target:
    """Return the target of linear growth at most: with n times as much, a payment costs up to n times as much CPU."""
    neighbours = [pair for series in series_of(results) if series[0].grows == grows for pair in pairwise(series)]
    exceeded = [
        before.records_a_cpu_second / after.records_a_cpu_second / (after.size / before.size)
        for before, after in neighbours
    ]
    return Target(
        what=f"growth of the cost of a payment, to the growth of {grows} (worst neighbours)",
        wanted=1.0,
        is_least=False,
        measured=max(exceeded, default=None),
    )


def _flat(results: Sequence[Growth], backend: str) -> Target:
    """Return the target that throughput is hardly less with the most cards than with the fewest."""
    series = next((s for s in series_of(results) if s[0].grows == "cards" and s[0].backend == backend), [])
    return Target(
        what=f"payments a CPU-second with the most cards, to the fewest ({backend})",
        wanted=FLAT,
        is_least=True,
        measured=series[-1].records_a_cpu_second / series[0].records_a_cpu_second if len(series) > 1 else None,
    )


HEAD = ("target", "wanted", "measured", "reached")


def rows(targets: Sequence[Target]) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    answers = {True: "yes", False: "no", None: "-"}
    return [
        (
            each.what,
            f"{'≥' if each.is_least else '≤'} {each.wanted:g}",
            "-" if each.measured is None else f"{each.measured:.2f}",
            answers[each.is_reached],
        )
        for each in targets
    ]
