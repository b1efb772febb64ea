"""Measures how long the fraud job is unavailable after one of its processes is killed, and whether it loses anything.

- A TaskManager, while another one stands by: the usual state of a cluster. Payments come at half the sustainable rate.
- A Python worker. The fraud job has none, since it runs Python in the TaskManager's process; here its execution mode is
  `process`. Payments come slowly: in a process of its own Python sees each of them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from local.stack.supervisor import Stack
from ops.jobs.flink_rest import FlinkError
from tests.bench.contenders.kinds import ContenderError, Job
from tests.bench.reports.results import HALF, OURS, Latency, Recovery
from tests.bench.runs.steady_load import Load, Sample, latency, live
from tests.services.python_workers import kill_python_workers

TASK_MANAGER, STANDBY = "taskmanager-1", "taskmanager-2"
TASK_MANAGER_KILLED, WORKER_KILLED = KILLED = ("TaskManager", "Python worker")
WORKER_RATE = 1_000.0
DURING = "recovery"
NORMAL_FACTOR, NORMAL_MS = 1.5, 50.0
"""Alerts are as quick as before when the median of a second is at most this factor times the median of before, plus
these milliseconds. A worker emits its alerts once a second: its median is seconds."""


@dataclass(frozen=True)
class Extent:
    """How long each fault is measured, and which faults are."""

    before_seconds: float
    """From the first payment to the kill."""
    after_seconds: float
    killed: tuple[str, ...]
    """Names of the faults, of KILLED."""


@dataclass(frozen=True)
class Fault:
    """What is killed, of which job, at which load."""

    killed: str
    rate: float
    options: dict[str, str]
    """Options of Flink."""
    strike: Callable[[Stack], None]


def faults(rate: float) -> list[Fault]:
    """Return all faults.

    Args:
        rate: payments a second for the job as it is.
    """
    return [
        Fault(TASK_MANAGER_KILLED, rate, {}, _kill_task_manager),
        Fault(WORKER_KILLED, min(rate, WORKER_RATE), {"python.execution-mode": "process"}, kill_python_workers),
    ]


def _kill_task_manager(stack: Stack) -> None:
    stack.kill(TASK_MANAGER)


def measure(ours: Job, stack: Stack, python: Path, rate: float, extent: Extent) -> tuple[list[Recovery], list[Latency]]:
    """Measure one fault after the other. A fault whose measurement fails has no result; the reason is printed.

    Args:
        python: interpreter that has the packages of the peers.
        rate: payments a second, half the sustainable rate.
    """
    recoveries, latencies = [], []
    for fault in faults(rate):
        if fault.killed not in extent.killed:
            continue
        job = replace(ours, options=ours.options | fault.options, may_restart=True)
        try:
            with live(job, stack, python) as running:
                # Only now, so that the job isn't there yet.
                stack.start(STANDBY)
                running.load(fault.rate, extent.before_seconds)  # until it has settled, and all is done
                strike = Strike(stack, fault, time.time() + extent.before_seconds)
                load = running.load(fault.rate, extent.before_seconds + extent.after_seconds, strike.when_due)
        except (ContenderError, FlinkError) as error:
            print(f"{fault.killed}: no figure: {error}", flush=True)
            continue
        result = outcome(fault.killed, load, strike.struck)
        print(f"{fault.killed}: the first alert came after {result.seconds_to_alert:.1f} s", flush=True)
        recoveries.append(result)
        if fault.killed == TASK_MANAGER_KILLED:
            affected = load.between(strike.struck, strike.struck + (result.seconds_to_normal or load.seconds))
            latencies.append(latency(OURS, HALF, load.rate, DURING, affected))
    return recoveries, latencies


@dataclass
class Strike:
    """A fault that happens once."""

    stack: Stack
    fault: Fault
    due: float
    """Time at which the fault is to happen, in seconds since 1970."""
    struck: float = field(default=0.0)
    """Time at which it happened; 0 before that."""

    def when_due(self) -> None:
        """Cause the fault if it is due and has not happened yet."""
        if not self.struck and time.time() >= self.due:
            self.struck = time.time()
            self.fault.strike(self.stack)


def outcome(killed: str, load: Load, struck: float) -> Recovery:
    """Return how long the recovery took. Nothing is missing: a load has all alerts, or there is no load."""
    later = [each for each in load.samples if each.due >= struck]
    alert = min(each.appended for each in later)
    normal = _normal_again(load, later, struck)
    return Recovery(
        killed=killed,
        records_a_second=load.rate,
        seconds_to_alert=alert - struck,
        seconds_to_normal=None if normal is None else max(normal, alert) - struck,
        alerts=len(load.samples),
        missing=0,
        repeated=load.repeated,
    )


def _normal_again(load: Load, later: Sequence[Sample], struck: float) -> float | None:
    # Only what was done when it was killed, and not the first half, in which the JVM is still compiling.
    settled = (load.begin + struck) / 2
    before = [each.ms for each in load.samples if settled <= each.due and each.appended < struck]
    limit = NORMAL_FACTOR * median(before) + NORMAL_MS
    second = struck
    while second < load.begin + load.seconds:
        of_second = [each.ms for each in later if second <= each.due < second + 1]
        if of_second and median(of_second) <= limit:
            return second
        second += 1
    return None


HEAD = ("killed", "a second", "to the first alert", "to normal", "alerts", "missing", "twice")


def rows(results: Sequence[Recovery]) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    return [
        (
            each.killed,
            f"{each.records_a_second:,.0f}",
            f"{each.seconds_to_alert:.1f} s",
            "-" if each.seconds_to_normal is None else f"{each.seconds_to_normal:.1f} s",
            f"{each.alerts:,}",
            str(each.missing),
            str(each.repeated),
        )
        for each in results
    ]
