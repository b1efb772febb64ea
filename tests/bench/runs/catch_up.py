"""Lets one contender catch up from a full topic, and measures its costs."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from events import FraudAlert
from local.stack.supervisor import Stack
from tests.bench.contenders.kinds import AtWork, Contender, ContenderError
from tests.bench.reports.results import Throughput
from tests.bench.runs.alerts import Alerts

SAMPLE_SECONDS = 0.1
WARM_SHARE = 0.2
"""Share of the first alerts, which isn't measured: it includes starting, compiling and filling caches."""


@dataclass
class Usage:
    """CPU time and memory that some processes, and all that they started, have used so far."""

    moments: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since 1970, CPU seconds of all processes until then), by time."""
    peak_bytes: int = 0
    """Maximum of resident memory; what several processes share counts for each of them."""
    _seconds: dict[int, float] = field(default_factory=dict)

    def sample(self, at_work: AtWork) -> None:
        """Record the present usage."""
        resident = 0
        for root in at_work.processes:
            for process in [root, *root.children(recursive=True)]:
                try:
                    times, memory = process.cpu_times(), process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                resident += memory.rss
                self._seconds[process.pid] = times.user + times.system
        self.peak_bytes = max(self.peak_bytes, resident)
        self.moments.append((time.time(), sum(self._seconds.values())))

    def cpu_seconds(self, begin: float, end: float) -> float:
        """Return the CPU time between two times (seconds since 1970)."""
        return self._until(end) - self._until(begin)

    def _until(self, moment: float) -> float:
        before = max((each for each in self.moments if each[0] <= moment), default=self.moments[0])
        after = min((each for each in self.moments if each[0] > moment), default=before)
        if after[0] == before[0]:
            return before[1]
        return before[1] + (moment - before[0]) / (after[0] - before[0]) * (after[1] - before[1])


def run(
    contender: Contender,
    stack: Stack,
    expected: Mapping[str, FraudAlert] | int,
    records: int,
    *,
    parallelism: int = 1,
    deadline_seconds: float,
    warm_share: float = WARM_SHARE,
    at_the_end: Callable[[], None] | None = None,
) -> Throughput:
    """Let a contender read the whole topic.

    Args:
        expected: the alerts that it must emit, by id; or the number of marks that it emits instead of alerts.
        records: how many payments there are.
        warm_share: share of the first alerts, which isn't measured.
        at_the_end: called when all alerts are there, while the contender still runs.

    Raises:
        ContenderError: it failed, gave another alert, wasn't ready in time, or too soon.
    """
    group = f"bench-{contender.name.replace(' ', '-')}-{time.time_ns()}"
    usage = Usage()
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, Alerts(stack) as alerts:
        began = time.time()
        with contender.running(stack, group, Path(folder), parallelism) as at_work:
            usage.sample(at_work)
            while not alerts.complete(expected):
                if fault := at_work.fault():
                    raise ContenderError(f"{contender.name}: {fault}")
                if time.time() - began > deadline_seconds:
                    raise ContenderError(f"{contender.name}: {len(alerts.times):,} alerts in {deadline_seconds:.0f} s")
                alerts.look(SAMPLE_SECONDS)
                usage.sample(at_work)
            if at_the_end:
                at_the_end()
        alerts.require(contender.name, expected)
    times = sorted(alerts.times)
    warm, last = times[round(warm_share * len(times))], times[-1]
    done = records * (1 - warm_share)
    cpu = usage.cpu_seconds(warm, last)
    if last <= warm or not cpu:
        raise ContenderError(f"{contender.name} was done before its time could be taken: it needs more payments")
    return Throughput(
        contender=contender.name,
        parallelism=parallelism,
        payments=records,
        wall_seconds=last - began,
        records_a_second=done / (last - warm),
        records_a_cpu_second=done / cpu,
        cores=cpu / (last - warm),
        peak_bytes=usage.peak_bytes,
    )
