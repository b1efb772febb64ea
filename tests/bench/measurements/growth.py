"""Measures throughput and size of state by the number of cards, of payments a card and of rules.

Each point is a catch-up of the fraud job over even payments (payments/even.py), which begins to count when every card
has its number. A point gives exactly the alerts that its bursts must give, or it has no figure. Before all of them the
job runs once on each state backend without being measured, or the first points would be those of a JVM that compiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path

from local.stack.supervisor import Stack
from ops.jobs.flink_rest import FlinkError
from tests.bench.contenders.kinds import ContenderError, Job
from tests.bench.environment.topics import rules_in_force
from tests.bench.payments.even import Shape
from tests.bench.payments.expected_alerts import alerts_of_bursts
from tests.bench.payments.topic import even_topic
from tests.bench.reports.results import OURS, Growth
from tests.bench.runs import catch_up
from tests.bench.runs.checkpoints import Checkpoint, checkpoint

DEFAULT_RULES = 10
BURSTS = 240
HEAP, ROCKSDB = "hashmap", "rocksdb"
BACKENDS = {HEAP: {}, ROCKSDB: {"state.backend.type": ROCKSDB, "state.backend.rocksdb.memory.fixed-per-slot": "256m"}}
"""State backend → Flink's options. A slot's share of the managed memory (32 MB) is made for the heap."""


@dataclass(frozen=True)
class Point:
    """One size of the cards, payments and rules."""

    grows: str
    """What differs from the point before it."""
    cards: int
    day_events: int
    """Payments of each card in 24 hours."""
    rules: int = DEFAULT_RULES
    backend: str = HEAP

    def shape(self, measured: int) -> Shape:
        """Return the shape of its payments."""
        return Shape(self.cards, self.day_events, measured, BURSTS)


CARDS = tuple(Point("cards", cards, 3, backend=backend) for cards in (1_000, 10_000, 100_000) for backend in BACKENDS)
EVENTS = tuple(Point("events a card", 100, events) for events in (10, 100, 1_000))
RULES = tuple(Point("rules", 1_000, 3, rules) for rules in (1, DEFAULT_RULES, 100))
POINTS = (*CARDS, *RULES, *EVENTS)
QUICK = (*RULES[1:], *EVENTS[1:])


def growth(
    points: Sequence[Point], stack: Stack, python: Path, *, measured: int, deadline_seconds: float
) -> list[Growth]:
    """Measure one point after the other. A point that fails has no result; the reason is printed.

    Afterwards the topic of payments is empty, and the default rules are in force.

    Args:
        python: interpreter that has the packages of the peers.
        measured: payments of each point, beside those until all cards have their number.
        deadline_seconds: most time that a point may take.
    """
    results: list[Growth] = []
    topics = sorted({(point.cards, point.day_events) for point in points})
    for cards, day_events in topics:
        of_topic = [point for point in points if (point.cards, point.day_events) == (cards, day_events)]
        shape = of_topic[0].shape(measured)
        with even_topic(stack.setup.settings, shape, python) as end_ms:
            if (cards, day_events) == topics[0]:
                for backend in sorted({point.backend for point in points}):
                    _run(replace(of_topic[0], backend=backend), stack, shape, end_ms, deadline_seconds)
                print("growth: that was to warm up", flush=True)
            for point in of_topic:
                results += _run(point, stack, shape, end_ms, deadline_seconds)
    return sorted(results, key=order)


def _run(point: Point, stack: Stack, shape: Shape, end_ms: int, deadline_seconds: float) -> list[Growth]:
    try:
        result = measure(point, stack, shape, end_ms, deadline_seconds)
    except (ContenderError, FlinkError) as error:
        print(f"{point} has no figure: {error}", flush=True)
        return []
    print(
        f"growth: {point.cards:,} cards, {point.day_events:,} events a card, {point.rules} rules, "
        f"{point.backend}: {result.records_a_second:,.0f} a second",
        flush=True,
    )
    return [result]


def measure(point: Point, stack: Stack, shape: Shape, end_ms: int, deadline_seconds: float) -> Growth:
    """Measure one point, over the payments that are in Kafka.

    Raises:
        ContenderError: the job failed, gave other alerts, or wasn't ready in time.
    """
    settings = stack.setup.settings
    with rules_in_force(settings, point.rules) as ruleset:
        checkpoints: list[Checkpoint] = []
        result = catch_up.run(
            Job(OURS, "the fraud job of Millrace", "jobs.fraud_detection", BACKENDS[point.backend]),
            stack,
            alerts_of_bursts(shape, end_ms, ruleset),
            shape.payments,
            deadline_seconds=deadline_seconds,
            warm_share=shape.warm_share,
            at_the_end=lambda: checkpoints.append(checkpoint(settings)),
        )
    return Growth(
        grows=point.grows,
        cards=point.cards,
        day_events=point.day_events,
        rules=point.rules,
        backend=point.backend,
        payments=shape.measured,
        records_a_second=result.records_a_second,
        records_a_cpu_second=result.records_a_cpu_second,
        peak_bytes=result.peak_bytes,
        state_bytes=checkpoints[0].bytes,
        checkpoint_seconds=checkpoints[0].seconds,
    )


HEAD = (
    "what grows",
    "cards",
    "events a card",
    "rules",
    "state on",
    "a second",
    "a CPU-second",
    "to the one before",
    "state MB",
    "checkpoint ms",
)


def order(result: Growth) -> tuple[str, str, int, int, int]:
    """Return the key to sort by: what grows, then how much."""
    return (result.grows, result.backend, result.cards, result.day_events, result.rules)


def rows(results: Sequence[Growth]) -> list[tuple[str, ...]]:
    """Return the lines of the table; each ratio is of payments a CPU-second, to the line above it."""
    return [
        (
            each.grows,
            f"{each.cards:,}",
            f"{each.day_events:,}",
            str(each.rules),
            each.backend,
            f"{each.records_a_second:,.0f}",
            f"{each.records_a_cpu_second:,.0f}",
            f"{each.records_a_cpu_second / before.records_a_cpu_second:.2f}" if before else "-",
            f"{each.state_bytes / 1e6:,.1f}",
            f"{each.checkpoint_seconds * 1000:,.0f}",
        )
        for _, series in groupby(results, key=lambda each: (each.grows, each.backend))
        for before, each in pairwise([None, *series])
        if each
    ]
