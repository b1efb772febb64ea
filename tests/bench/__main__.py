"""Measure the fraud job on the real stack, against its peers: docs/benchmarks.md says how to read what comes out."""

import logging
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import structs

from connectors.topics import PAYMENTS
from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from ops.tables import table
from tests.bench.fraud import environment, growth, machine, report, safety, throughput
from tests.bench.fraud.contenders import contenders
from tests.bench.fraud.growth import Point
from tests.bench.fraud.harness import bench_stack, empty, fill
from tests.bench.fraud.report import Report

BUSY_LOAD = 0.5
RESULTS = "bench-results.json"


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    payments: int
    """Of the topic that all contenders read."""
    cards: int
    parallelisms: tuple[int, ...]
    points: tuple[Point, ...]
    safeties: tuple[str, ...]
    measured: int
    """Payments of each point of growth and each way of safety."""
    deadline_seconds: float
    """Of one contender."""


FULL = Extent(1_000_000, 20_000, (1, 2), growth.POINTS, safety.SAFETIES, 250_000, 400.0)
QUICK = Extent(100_000, 2_000, (1,), growth.QUICK, (safety.CHECKPOINTS,), 60_000, 120.0)


@dataclass(frozen=True)
class Bench:
    """One run."""

    stack: Stack
    python: Path
    """Interpreter that has the packages of the peers."""
    extent: Extent
    names: tuple[str, ...]
    """Of contenders; all without any."""

    def throughput(self, so_far: Report) -> Report:
        """The job and its peers over one topic."""
        settings = self.stack.setup.settings
        topic = fill(settings, self.extent.payments, self.extent.cards)
        chosen = [each for each in contenders(self.python) if not self.names or each.name in self.names]
        results = [
            result
            for parallelism in self.extent.parallelisms
            for result in throughput.throughput(
                chosen,
                self.stack,
                topic,
                parallelism=parallelism,
                deadline_seconds=self.extent.deadline_seconds,
            )
        ]
        empty(settings, PAYMENTS.name)
        show(throughput.HEAD, throughput.rows(results))
        return structs.replace(so_far, throughput=results)

    def growth(self, so_far: Report) -> Report:
        """More cards, more payments a card, more rules."""
        extent = self.extent
        results = growth.growth(
            extent.points,
            self.stack,
            self.python,
            measured=extent.measured,
            deadline_seconds=extent.deadline_seconds,
        )
        show(growth.HEAD, growth.rows(results))
        return structs.replace(so_far, growth=results)

    def safety(self, so_far: Report) -> Report:
        """With and without what makes it safe."""
        extent = self.extent
        results = safety.safety(
            extent.safeties,
            self.stack,
            self.python,
            measured=extent.measured,
            deadline_seconds=extent.deadline_seconds,
        )
        show(safety.HEAD, safety.rows(results))
        return structs.replace(so_far, safety=results)


MEASUREMENTS: dict[str, Callable[[Bench, Report], Report]] = {
    each.__name__: each for each in (Bench.throughput, Bench.growth, Bench.safety)
}


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="A look in a few minutes: fewer payments, and only what needs no more.")
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="One measurement; can be repeated.")
@click.option("--contender", multiple=True, help="Of throughput: only this one; can be repeated.")
@click.option("--parallelism", multiple=True, type=int, help="Of throughput: on so many cores; can be repeated.")
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
    if parallelism:
        extent = replace(extent, parallelisms=parallelism)
    if payments:
        extent = replace(extent, payments=payments, cards=max(1, payments * extent.cards // extent.payments))
    python = environment.python()
    warn_if_busy()
    with bench_stack() as stack:
        results = Report(measured_at=datetime.now(UTC).isoformat("T", "seconds"), machine=machine.describe(stack.setup))
        show(machine.HEAD, machine.rows(results.machine))
        bench = Bench(stack, python, extent, contender)
        for name in only or MEASUREMENTS:
            print(f"\n{name}, after {time.monotonic() - began:.0f} s", flush=True)
            results = MEASUREMENTS[name](bench, results)
    results = structs.replace(results, targets=report.targets(results))
    show(report.TARGET_HEAD, report.target_rows(results.targets))
    folder.mkdir(parents=True, exist_ok=True)
    report.write(results, folder / RESULTS)
    draw = [str(python), "-m", "tests.bench.fraud.plots", str((folder / RESULTS).resolve()), str(folder.resolve())]
    subprocess.run(draw, cwd=CHECKOUT, check=True)
    print(f"{folder / RESULTS}, after {time.monotonic() - began:.0f} s")
    warn_if_busy(results.machine.load_before)


def warn_if_busy(load: float | None = None) -> None:
    """Say that the figures mean little, if something else ran before."""
    load = os.getloadavg()[0] if load is None else load
    if load > BUSY_LOAD:
        print(f"the machine was busy (load {load:.1f}) before: its ratios say something, and not much", flush=True)


def show(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table, as soon as it is known."""
    print(f"\n{table(head, rows)}\n", flush=True)


if __name__ == "__main__":
    main()
