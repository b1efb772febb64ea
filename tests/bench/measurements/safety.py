"""Measures the costs of losing nothing, of checks and of dropping duplicates: each with and without, in one run.

- guarded-json checks each payment against its schema and lets a bad one out as a row; Flink's json does neither.
- A checkpoint saves all state, and holds up records while it begins.
- Records that are written exactly once are written in transactions, one from checkpoint to checkpoint.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from connectors.kafka.topics import PAYMENTS
from connectors.settings import Settings
from events import FraudAlert
from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from ops.jobs.cluster_jobs import all_jobs
from ops.jobs.flink_rest import FlinkError, ask
from tests.bench.contenders.kinds import ContenderError, Job
from tests.bench.contenders.on_flink.decode import COPY, EVERY, GUARANTEES, JSON
from tests.bench.environment.topics import empty, rules_in_force
from tests.bench.measurements.growth import BURSTS, DEFAULT_RULES
from tests.bench.payments.even import Shape
from tests.bench.payments.expected_alerts import alerts_of_bursts
from tests.bench.payments.topic import even_topic
from tests.bench.reports.results import OURS, Safety, Throughput
from tests.bench.runs import catch_up
from tests.bench.runs.checkpoints import checkpoint

CARDS, DAY_EVENTS = 20_000, 5
FORMAT, CHECKPOINTS, DELIVERY = "format", "checkpoints", "delivery"
SAFETIES = (FORMAT, CHECKPOINTS, DELIVERY)


@dataclass(frozen=True)
class Variant:
    """A job with a certain degree of safety."""

    safety: str
    how: str
    arguments: tuple[str, ...] = ()
    """Arguments of the job that decodes."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of Flink."""

    @property
    def job(self) -> Job:
        """The fraud job for checkpoints, otherwise the job that decodes."""
        if self.safety == CHECKPOINTS:
            return Job(OURS, self.how, "jobs.fraud_detection", self.options)
        return Job("decode", self.how, "tests.bench.contenders.on_flink.decode", self.options, self.arguments)


@dataclass(frozen=True)
class Payments:
    """Payments in Kafka, and the alerts that they must raise."""

    shape: Shape
    alerts: Mapping[str, FraudAlert]


def _checkpoints(interval: str, pause: str = "0s") -> dict[str, str]:
    return {"execution.checkpointing.interval": interval, "execution.checkpointing.min-pause": pause}


VARIANTS = (
    Variant(FORMAT, "Flink's json", (JSON,)),
    Variant(FORMAT, "guarded-json"),
    # Flink has no interval that means never. The first checkpoint is taken at any time after the pause.
    Variant(CHECKPOINTS, "none", options=_checkpoints("1d", "1d")),
    Variant(CHECKPOINTS, "every 10 s", options=_checkpoints("10s")),
    Variant(CHECKPOINTS, "every second", options=_checkpoints("1s")),
    *(Variant(DELIVERY, guarantee.replace("-", " "), (guarantee,)) for guarantee in GUARANTEES),
)
"""All variants; of each safety the least safe one first."""


def safety(
    chosen: Sequence[str], stack: Stack, python: Path, *, measured: int, deadline_seconds: float
) -> list[Safety]:
    """Measure one variant after the other. A variant that fails has no result; the reason is printed.

    Afterwards the topic of payments is empty, and the default rules are in force.

    Args:
        chosen: of SAFETIES.
        python: interpreter that has the packages of the peers.
        measured: payments of each variant, beside those until all cards have their number.
        deadline_seconds: most time that a variant may take.
    """
    shape = Shape(CARDS, DAY_EVENTS, measured, BURSTS)
    settings = stack.setup.settings
    results: list[Safety] = []
    with even_topic(settings, shape, python) as end_ms, rules_in_force(settings, DEFAULT_RULES) as ruleset:
        payments = Payments(shape, alerts_of_bursts(shape, end_ms, ruleset))
        for variant in VARIANTS:
            if variant.safety not in chosen:
                continue
            try:
                result, checkpoints = measure(variant, stack, payments, python, deadline_seconds=deadline_seconds)
            except (ContenderError, FlinkError) as error:
                print(f"{variant.safety}, {variant.how}, has no figure: {error}", flush=True)
                continue
            print(f"{variant.safety}, {variant.how}: {result.records_a_second:,.0f} a second", flush=True)
            results.append(compared(variant, result, checkpoints, results))
    return results


def compared(variant: Variant, result: Throughput, checkpoints: int, before: Sequence[Safety]) -> Safety:
    """Return a result with its ratio to the least safe variant of its kind, if that has a figure."""
    plain = next((each for each in before if each.safety == variant.safety), None)
    return Safety(
        safety=variant.safety,
        how=variant.how,
        records_a_second=result.records_a_second,
        records_a_cpu_second=result.records_a_cpu_second,
        checkpoints=checkpoints,
        ratio=result.records_a_cpu_second / plain.records_a_cpu_second if plain else 1.0,
    )


def measure(
    variant: Variant, stack: Stack, payments: Payments, python: Path, *, deadline_seconds: float
) -> tuple[Throughput, int]:
    """Return the throughput of a variant, and the number of checkpoints that were completed by the end.

    Raises:
        ContenderError: it failed, emitted other alerts or copies than expected, or wasn't ready in time.
    """
    settings = stack.setup.settings
    completed: list[int] = []

    def look() -> None:
        counts = ask(settings, "GET", f"jobs/{all_jobs(settings)[0].id}/checkpoints")["counts"]
        completed.append(int(counts["completed"]))
        if variant.safety == DELIVERY:
            # What was written exactly once is seen after the next checkpoint.
            checkpoint(settings)
            require_copies(settings, python, variant.how, payments.shape.payments)

    marks = payments.shape.payments // EVERY - PAYMENTS.partitions
    if variant.safety == DELIVERY:
        make_topic_of_copies(settings)
    result = catch_up.run(
        variant.job,
        stack,
        payments.alerts if variant.safety == CHECKPOINTS else marks,
        payments.shape.payments,
        deadline_seconds=deadline_seconds,
        warm_share=payments.shape.warm_share,
        at_the_end=look,
    )
    return result, completed[0]


def make_topic_of_copies(settings: Settings) -> None:
    """Create the topic of copies, or empty it if it exists."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    if COPY in admin.list_topics():
        empty(settings, COPY)
    else:
        admin.create_topics([NewTopic(COPY, PAYMENTS.partitions, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()


def require_copies(settings: Settings, python: Path, who: str, number: int) -> None:
    """Check that the topic of copies has one copy of each payment.

    Raises:
        ContenderError: the number of copies differs.
    """
    count = [str(python), "-m", "tests.bench.payments.count", settings.kafka_bootstrap_servers, COPY]
    found = int(subprocess.run(count, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if found != number:
        raise ContenderError(f"{who}: {found:,} copies of {number:,} payments")


HEAD = ("safety", "how", "a second", "a CPU-second", "ratio", "checkpoints")


def rows(results: Sequence[Safety]) -> list[tuple[str, ...]]:
    """Return the lines of the table; the ratio is of payments a CPU-second, to the least safe."""
    return [
        (
            each.safety,
            each.how,
            f"{each.records_a_second:,.0f}",
            f"{each.records_a_cpu_second:,.0f}",
            f"{each.ratio:.2f}",
            str(each.checkpoints),
        )
        for each in results
    ]
