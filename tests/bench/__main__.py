"""Measures the fraud job on the real stack, against its peers: docs/benchmarks.md explains the results."""

import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import structs

from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from ops.formats import table
from ops.jobs.flink_rest import FlinkError
from tests.bench.contenders.kinds import ContenderError, Job
from tests.bench.contenders.roster import NAMES, contender_named
from tests.bench.environment import machine, peer_python
from tests.bench.environment.stack import bench_stack
from tests.bench.measurements import growth, latency, recovery, safety, throughput
from tests.bench.measurements.growth import Point
from tests.bench.measurements.throughput import Pass
from tests.bench.reports import targets
from tests.bench.reports.results import HALF, OURS, Report, write

BUSY = 0.1
"""Share of the cores in use above which the machine counts as busy."""
RESULTS = "bench-results.json"


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    names: tuple[str, ...]
    """Names of the measurements that run by default."""
    passes: Sequence[Pass]
    """Passes of the throughput measurement."""
    points: tuple[Point, ...]
    safeties: tuple[str, ...]
    measured: int
    """Minimum number of payments of each point of growth and each variant of safety."""
    deadline_seconds: float
    """Most seconds that one contender may take."""
    loads: latency.Extent
    faults: recovery.Extent


FULL = Extent(
    names=("throughput", "latency", "growth", "safety", "recovery"),
    passes=throughput.FULL,
    points=growth.POINTS,
    safeties=safety.SAFETIES,
    measured=150_000,
    deadline_seconds=400.0,
    loads=latency.Extent(7_500, 1.5, 10.0, 60.0, (0.25, HALF, 0.8), 20.0),
    faults=recovery.Extent(12.0, 40.0, recovery.KILLED),
)
QUICK = Extent(
    names=("throughput", "latency", "recovery"),
    passes=throughput.QUICK,
    points=growth.QUICK,
    safeties=(safety.CHECKPOINTS,),
    measured=60_000,
    deadline_seconds=120.0,
    loads=latency.Extent(4_000, 2.0, 5.0, 10.0, (HALF,), 10.0),
    faults=recovery.Extent(10.0, 15.0, recovery.KILLED[:1]),
)
MEASURED_SECONDS = 6.0
"""Time in which the fraud job, at its measured throughput, takes in the payments of a point of growth, at least. Even
payments are easier, so the measurement itself is shorter."""
STILL_COMPILING = (
    "quick: when so few payments are done the JVM still compiles, most of all for the fraud job, which is the first.\n"
    "Figures and ratios are those of its first seconds; whether a target is reached is for the run without --quick."
)
DEFAULT_RATE = 5_000.0
"""Payments a second at a recovery, if the sustainable rate was not measured."""


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark."""

    stack: Stack
    python: Path
    """Interpreter that has the packages of the peers."""
    extent: Extent

    def measured(self, so_far: Report) -> int:
        """Return the payments of each point of growth and variant of safety: more on a faster machine."""
        rate = max((each.records_a_second for each in so_far.throughput if each.contender == OURS), default=0.0)
        return max(self.extent.measured, round(rate * MEASURED_SECONDS / 10_000) * 10_000)

    def throughput(self, so_far: Report) -> Report:
        """Measure the throughput of the job and its peers over one topic."""
        extent = self.extent
        results = throughput.throughput(
            extent.passes, self.stack, self.python, deadline_seconds=extent.deadline_seconds
        )
        show(throughput.HEAD, throughput.rows(results))
        return structs.replace(so_far, throughput=results)

    def latency(self, so_far: Report) -> Report:
        """Measure the sustainable rate of the job, and the latency of its alerts."""
        ours, floor = (contender_named(name, self.python) for name in (OURS, latency.FLOOR))
        try:
            sustainable, results = latency.measure(ours, floor, self.stack, self.python, self.extent.loads)
        except (ContenderError, FlinkError) as error:
            print(f"latency has no figure: {error}", flush=True)
            return so_far
        show(latency.RATE_HEAD, latency.rate_rows([sustainable]))
        show(latency.HEAD, latency.rows(results))
        return structs.replace(so_far, sustainable=[sustainable], latency=results)

    def growth(self, so_far: Report) -> Report:
        """Measure the job with more cards, more payments a card, and more rules."""
        extent = self.extent
        results = growth.growth(
            extent.points,
            self.stack,
            self.python,
            measured=self.measured(so_far),
            deadline_seconds=extent.deadline_seconds,
        )
        show(growth.HEAD, growth.rows(results))
        return structs.replace(so_far, growth=results)

    def safety(self, so_far: Report) -> Report:
        """Measure the job with and without what makes it safe."""
        extent = self.extent
        results = safety.safety(
            extent.safeties,
            self.stack,
            self.python,
            measured=self.measured(so_far),
            deadline_seconds=extent.deadline_seconds,
        )
        show(safety.HEAD, safety.rows(results))
        return structs.replace(so_far, safety=results)

    def recovery(self, so_far: Report) -> Report:
        """Measure how long the job is unavailable after a process is killed."""
        ours = contender_named(OURS, self.python)
        assert isinstance(ours, Job)
        rate = so_far.sustainable[0].records_a_second * HALF if so_far.sustainable else DEFAULT_RATE
        results, late = recovery.measure(ours, self.stack, self.python, rate, self.extent.faults)
        show(recovery.HEAD, recovery.rows(results))
        show(latency.HEAD, latency.rows(late))
        return structs.replace(so_far, recovery=results, latency=[*so_far.latency, *late])


MEASUREMENTS: dict[str, Callable[[Bench, Report], Report]] = {
    each.__name__: each for each in (Bench.throughput, Bench.latency, Bench.growth, Bench.safety, Bench.recovery)
}


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="A look in a few minutes: fewer payments, and only what needs no more.")
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="One measurement; can be repeated.")
@click.option(
    "--contender", multiple=True, type=click.Choice(NAMES), help="Of throughput: only this one; can be repeated."
)
@click.option("--parallelism", multiple=True, type=int, help="Of throughput: cores; can be repeated.")
@click.option("--payments", type=int, help="Of throughput: how many are in the topic.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("bench-results"), show_default=True)
def main(
    *,
    quick: bool,
    only: tuple[str, ...],
    contender: tuple[str, ...],
    parallelism: tuple[int, ...],
    payments: int | None,
    folder: Path,
) -> None:
    """Command line."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    began = time.monotonic()
    extent = QUICK if quick else FULL
    extent = replace(extent, passes=throughput.chosen_passes(extent.passes, contender, parallelism, payments))
    python = peer_python.interpreter()
    busy_before = machine.busy()
    warn_if_busy(busy_before)
    with bench_stack(task_managers=2) as stack:
        results = Report(
            measured_at=datetime.now(UTC).isoformat("T", "seconds"), machine=machine.describe(stack.setup, busy_before)
        )
        show(machine.HEAD, machine.rows(results.machine))
        bench = Bench(stack, python, extent)
        for name in only or extent.names:
            print(f"\n{name}, after {time.monotonic() - began:.0f} s", flush=True)
            results = MEASUREMENTS[name](bench, results)
    results = structs.replace(results, targets=targets.compare(results))
    show(targets.HEAD, targets.rows(results.targets))
    if quick:
        print(STILL_COMPILING, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    write(results, folder / RESULTS)
    draw = [str(python), "-m", "tests.bench.reports.plots", str((folder / RESULTS).resolve()), str(folder.resolve())]
    subprocess.run(draw, cwd=CHECKOUT, check=True)
    print(f"{folder / RESULTS}, after {time.monotonic() - began:.0f} s")
    warn_if_busy(busy_before)


def warn_if_busy(busy: float) -> None:
    """Print that the figures mean little if something else runs."""
    if busy > BUSY:
        print(f"busy: {busy:.0%} of the machine was taken before; ratios say something then, and not much", flush=True)


def show(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    print(f"\n{table(head, rows)}\n", flush=True)


if __name__ == "__main__":
    main()
