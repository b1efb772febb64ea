"""Runs a contender under a steady load and measures the time from a payment to its alert.

Time runs from the moment at which a payment was due to be sent, by which its record is in Kafka a millisecond or two
later, to that at which the broker appended its alert: what waits because the sender or the broker was held up counts.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from connectors.kafka.topics import PAYMENTS
from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from tests.bench.contenders.kinds import AtWork, Contender, ContenderError
from tests.bench.environment.topics import empty
from tests.bench.payments.even import CYCLE, Stream
from tests.bench.payments.expected_alerts import expected_alerts
from tests.bench.reports.results import Latency
from tests.bench.runs.alerts import Alerts

CARDS, DAY_EVENTS = 20_000, 9
"""Cards and payments of a card in 24 hours, as in the throughput measurement."""
PAST_MS = 500 * 86_400_000
"""How long ago the first payment's event time is: event time runs much faster than the clock."""
GRACE_SECONDS = 90.0
"""Maximum time from the last payment to the last alert."""
LOOK_SECONDS = 0.05


class Sample(NamedTuple):
    """Times of one alert."""

    due: float
    """Time at which its payment was to be sent, in seconds since 1970."""
    appended: float
    """Time at which the broker appended the alert, in seconds since 1970."""

    @property
    def ms(self) -> float:
        """Latency in milliseconds."""
        return (self.appended - self.due) * 1000


@dataclass(frozen=True)
class Load:
    """Result of a load."""

    rate: float
    """Payments a second."""
    begin: float
    """Time of the first payment, in seconds since 1970."""
    seconds: float
    samples: Sequence[Sample]
    """One sample of each expected alert, in the order in which they were due; there was no other alert."""
    repeated: int
    """Number of duplicates of alerts."""
    behind_ms: float
    """Maximum delay with which a payment was given to the producer."""

    def between(self, begin: float, end: float) -> list[float]:
        """Return the latencies, in milliseconds, of alerts that were due between two times."""
        return [each.ms for each in self.samples if begin <= each.due < end]


@dataclass
class Live:
    """A contender at work, and the payments that it gets."""

    contender: str
    stack: Stack
    python: Path
    at_work: AtWork
    stream: Stream
    _next: int = field(default=0)

    def load(self, rate: float, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> Load:
        """Send payments for a number of seconds, and wait for all alerts that they must raise.

        Args:
            meanwhile: called repeatedly while they are sent.

        Raises:
            ContenderError: it failed, emitted another alert, or hadn't emitted all of them in time.
        """
        first = self._next
        end = first + round(rate * seconds / CYCLE) * CYCLE
        self._next = end
        expected = expected_alerts(self.stream.bursting(first, end))
        with Alerts(self.stack) as alerts:
            with self._sending(first, end, rate) as sender:
                begin = _said(sender)
                while time.time() < begin + seconds:
                    self._require_at_work()
                    alerts.look(LOOK_SECONDS)
                    meanwhile()
                while not alerts.complete(expected) or sender.poll() is None:
                    self._require_at_work()
                    if time.time() > begin + seconds + GRACE_SECONDS:
                        raise ContenderError(
                            f"{self.contender}: {len(alerts.times):,} of {len(expected):,} alerts "
                            f"{GRACE_SECONDS:.0f} s after {rate:,.0f} payments a second"
                        )
                    alerts.look(LOOK_SECONDS)
                behind_ms = _said(sender)
            alerts.require(self.contender, expected)
        samples = [
            Sample(begin + (_number(alert.payment_id) - first) / rate, alerts.appended[alert_id])
            for alert_id, alert in expected.items()
        ]
        return Load(rate, begin, seconds, sorted(samples), alerts.repeated, behind_ms)

    @contextmanager
    def _sending(self, first: int, end: int, rate: float) -> Iterator[subprocess.Popen[str]]:
        stream = self.stream
        numbers = (stream.cards, stream.day_events, stream.start_ms, first, end, rate)
        servers = self.stack.setup.settings.kafka_bootstrap_servers
        command = [str(self.python), "-m", "tests.bench.payments.send_steadily", servers, *map(str, numbers)]
        with subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as sender:
            try:
                yield sender
            finally:
                sender.kill()

    def _require_at_work(self) -> None:
        if fault := self.at_work.fault():
            raise ContenderError(f"{self.contender}: {fault}")


def _said(sender: subprocess.Popen[str]) -> float:
    assert sender.stdout
    line = sender.stdout.readline()
    try:
        return float(line)
    except ValueError:
        raise ContenderError(f"sending payments failed: {line}{sender.stdout.read()}") from None


def _number(payment_id: str) -> int:
    return int(payment_id.rpartition("-")[2])


@contextmanager
def live(contender: Contender, stack: Stack, python: Path) -> Iterator[Live]:
    """Run a contender over a topic that is empty at first, with the default rules in force.

    Args:
        python: interpreter that has the packages of the peers.
    """
    empty(stack.setup.settings, PAYMENTS.name)
    group = f"bench-live-{contender.name.replace(' ', '-')}-{time.time_ns()}"
    stream = Stream(CARDS, DAY_EVENTS, time.time_ns() // 1_000_000 - PAST_MS)
    with (
        TemporaryDirectory(prefix="millrace-bench-") as folder,
        contender.running(stack, group, Path(folder), 1) as at_work,
    ):
        yield Live(contender.name, stack, python, at_work, stream)
    empty(stack.setup.settings, PAYMENTS.name)


def latency(contender: str, load: float, rate: float, when: str, milliseconds: Sequence[float]) -> Latency:
    """Return the percentiles of latencies at a load, which is a share of the sustainable rate."""
    ordered = sorted(milliseconds)
    return Latency(
        contender=contender,
        load=load,
        records_a_second=rate,
        when=when,
        alerts=len(ordered),
        p50_ms=percentile(ordered, 0.5),
        p95_ms=percentile(ordered, 0.95),
        p99_ms=percentile(ordered, 0.99),
        p999_ms=percentile(ordered, 0.999),
        most_ms=percentile(ordered, 1.0),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least of ascending values that a share of them does not exceed; 0 if there are none."""
    return ordered[ceil(share * len(ordered)) - 1] if ordered else 0.0


def grows(load: Load) -> bool:
    """Return whether lag grew: alerts in the last quarter were later than those in the second by more than a hundredth
    of the time between them, and by more than 50 ms. The first quarter does not count."""
    quarter = load.seconds / 4
    second = load.between(load.begin + quarter, load.begin + 2 * quarter)
    last = load.between(load.begin + 3 * quarter, load.begin + load.seconds)
    return median(last) - median(second) > max(50.0, 0.01 * 2 * quarter * 1000)
