"""Measures how many payments a second the fraud job sustains, and the latency of its alerts below that rate.

The sustainable rate is the highest at which lag doesn't grow. It is looked for in steps of some seconds, upwards until
lag grows and once between the last two; what was found is held for a minute, or else a tenth less. Latency is measured
at shares of it, and once more while one checkpoint follows the other. The plain loop gets half of that rate, too: what
it takes is mostly Kafka's.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.settings import Settings
from local.stack.supervisor import Stack
from tests.bench.contenders.kinds import Contender, ContenderError
from tests.bench.reports.results import HALF, OURS, Latency, SustainableRate
from tests.bench.runs.checkpoints import checkpoint
from tests.bench.runs.steady_load import Live, Load, grows, latency, live

FLOOR = "plain loop"
STEADY, CHECKPOINT = "steady", "checkpoint"
DOWN = 0.9
"""Factor from a rate that wasn't held to the next that is tried."""


@dataclass(frozen=True)
class Extent:
    """How long each thing is measured."""

    first_rate: float
    """Payments a second with which the search begins."""
    step: float
    """Factor from one rate of the search to the next."""
    step_seconds: float
    held_seconds: float
    """How long the sustainable rate must be held."""
    loads: Sequence[float]
    """Shares of the sustainable rate at which latency is measured."""
    load_seconds: float


def measure(
    ours: Contender, floor: Contender, stack: Stack, python: Path, extent: Extent
) -> tuple[SustainableRate, list[Latency]]:
    """Measure the sustainable rate of the fraud job, its latency at shares of that, and the plain loop's at half of it.

    Args:
        python: interpreter that has the packages of the peers.

    Raises:
        ContenderError: one of them failed, or the fraud job doesn't hold the first rate.
    """
    with live(ours, stack, python) as running:
        sustainable = sustainable_rate(running, extent)
        rate = sustainable.records_a_second
        results = [_steady(running, load, rate, extent.load_seconds) for load in extent.loads]
        during = _Checkpoints(stack.setup.settings)
        loaded = running.load(HALF * rate, extent.load_seconds, during.make)
        results.append(latency(OURS, HALF, HALF * rate, CHECKPOINT, during.touched(loaded)))
    with live(floor, stack, python) as running:
        _steady(running, HALF, rate, extent.step_seconds)  # for caches
        results.append(_steady(running, HALF, rate, extent.load_seconds))
    return sustainable, results


def _steady(running: Live, share: float, rate: float, seconds: float) -> Latency:
    load = running.load(share * rate, seconds)
    result = latency(running.contender, share, load.rate, STEADY, [each.ms for each in load.samples])
    print(f"{running.contender}, {load.rate:,.0f} a second: p99 {result.p99_ms:.0f} ms, {_in_time(load)}", flush=True)
    return result


def _in_time(load: Load) -> str:
    return f"payments were sent at most {load.behind_ms:.0f} ms late"


def sustainable_rate(running: Live, extent: Extent) -> SustainableRate:
    """Search the highest rate at which lag doesn't grow.

    Raises:
        ContenderError: it doesn't hold the first one.
    """
    running.load(extent.first_rate, extent.step_seconds)  # for the JVM
    held, rate = 0.0, extent.first_rate
    while _holds(running, rate, extent.step_seconds):
        held, rate = rate, rate * extent.step
    if held and _holds(running, (held + rate) / 2, extent.step_seconds):
        held = (held + rate) / 2
    while held >= extent.first_rate:
        if _holds(running, held, extent.held_seconds):
            return SustainableRate(contender=running.contender, records_a_second=held, seconds=extent.held_seconds)
        held *= DOWN
    raise ContenderError(f"{running.contender} doesn't hold {extent.first_rate:,.0f} payments a second")


def _holds(running: Live, rate: float, seconds: float) -> bool:
    load = running.load(rate, seconds)
    growing = grows(load)
    print(
        f"{rate:,.0f} a second for {seconds:.0f} s: lag {'grows' if growing else 'does not grow'}, {_in_time(load)}",
        flush=True,
    )
    return not growing


@dataclass
class _Checkpoints:
    """Checkpoints that are triggered one after the other while a load runs."""

    settings: Settings
    _made: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of each, in seconds since 1970."""

    def make(self) -> None:
        """Trigger a checkpoint and record its begin and end."""
        begin = time.time()
        self._made.append((begin, begin + checkpoint(self.settings).seconds))

    def touched(self, load: Load) -> list[float]:
        """Return the latencies, in milliseconds, of alerts that were on their way during a checkpoint."""
        return [
            sample.ms
            for sample in load.samples
            if any(sample.due <= end and begin <= sample.appended for begin, end in self._made)
        ]


HEAD = ("latency", "load", "a second", "when", "alerts", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "most ms", "ratio")


def rows(results: Sequence[Latency]) -> list[tuple[str, ...]]:
    """Return the lines of the table; the ratio is of p99, to that of the plain loop at half of the sustainable rate."""
    floor = next((each for each in results if each.contender == FLOOR), None)
    return [
        (
            each.contender,
            f"{each.load:.0%}",
            f"{each.records_a_second:,.0f}",
            each.when,
            f"{each.alerts:,}",
            *(f"{ms:,.0f}" for ms in (each.p50_ms, each.p95_ms, each.p99_ms, each.p999_ms, each.most_ms)),
            f"{each.p99_ms / floor.p99_ms:.1f}" if floor else "-",
        )
        for each in results
    ]


RATE_HEAD = ("sustainable rate of", "a second", "held for")


def rate_rows(results: Sequence[SustainableRate]) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    return [(each.contender, f"{each.records_a_second:,.0f}", f"{each.seconds:.0f} s") for each in results]
