"""Lines and bars of the report, for plots.py; knows no matplotlib."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.reports.results import OURS, Growth, Latency, Throughput, series_of

PERCENTILES = ("p50", "p95", "p99", "p99.9")
BACKENDS = {"hashmap": "on the heap", "rocksdb": "in RocksDB"}
GROWING = ("cards", "events a card", "rules")


@dataclass(frozen=True)
class Bar:
    """Bar of a contender."""

    label: str
    length: float
    is_ours: bool


@dataclass(frozen=True)
class Line:
    """One of several lines in a panel."""

    label: str
    points: tuple[tuple[float, float], ...]
    """Points in ascending order of x."""


def throughput_bars(results: Sequence[Throughput]) -> dict[tuple[int, int], list[Bar]]:
    """(cores, payments) → payments a CPU-second, the most first; a contender has the same place in each."""
    most = {
        contender: max(each.records_a_cpu_second for each in results if each.contender == contender)
        for contender in {each.contender for each in results}
    }
    ordered = sorted(results, key=lambda each: -most[each.contender])
    panels = sorted({(each.parallelism, -each.payments) for each in results})
    return {
        (cores, -payments): [
            Bar(each.contender, each.records_a_cpu_second, each.contender == OURS)
            for each in ordered
            if (each.parallelism, each.payments) == (cores, -payments)
        ]
        for cores, payments in panels
    }


def latency_lines(results: Sequence[Latency]) -> dict[str, list[Line]]:
    """When → of our job a line for each load, over the places of PERCENTILES, in milliseconds; steady first."""
    ours = sorted((each for each in results if each.contender == OURS and each.alerts), key=lambda each: each.load)
    times = sorted({each.when for each in ours}, key=lambda when: (when != "steady", when))
    return {
        when: [
            Line(
                f"{each.load:.0%} load",
                tuple(enumerate((each.p50_ms, each.p95_ms, each.p99_ms, each.p999_ms))),
            )
            for each in ours
            if each.when == when
        ]
        for when in times
    }


def growth_lines(results: Sequence[Growth], value: Callable[[Growth], float]) -> dict[str, list[Line]]:
    """What grows → a line for each state backend."""
    lines: dict[str, list[Line]] = {grows: [] for grows in GROWING}
    for series in series_of(results):
        points = tuple((float(each.size), value(each)) for each in series)
        lines[series[0].grows].append(Line(BACKENDS[series[0].backend], points))
    return lines
