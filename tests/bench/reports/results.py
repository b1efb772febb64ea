"""Measurements as flat records of plain numbers: the content of `bench-results.json`, and the targets.

Knows neither Flink nor Kafka, so that the peers' environment, which has what plots need, can read it.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import msgspec

SCHEMA_VERSION = 1
OURS = "millrace"
LEAST_RATIOS = {
    "bytewax": 1.5,
    "quixstreams": 4.0,
    "over windows": 3.0,
    "keyed process": 3.0,
    "decode": 0.7,
    "plain loop": 0.6,
}
"""Contender → payments a CPU-second of ours to theirs, on one core."""
HALF = 0.5
MOST_P99_MS = 100.0
FLAT = 0.8
"""Throughput that does not depend on something keeps at least so much of itself."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    busy_before: float
    """Share of all cores that was taken before the start, by whomever."""
    versions: dict[str, str]
    """Of Python, Flink, Java, Kafka, and the peers."""


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """A catch-up of one contender."""

    contender: str
    parallelism: int
    payments: int
    """In the topic."""
    wall_seconds: float
    """From its start to its last alert."""
    records_a_second: float
    """While it ran warm."""
    records_a_cpu_second: float
    """Likewise."""
    cores: float
    """How many it kept busy then."""
    peak_bytes: int
    """Resident, of all its processes."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took from the moment at which a payment was due to its alert's arrival in Kafka."""

    contender: str
    load: float
    """Share of our job's sustainable rate."""
    records_a_second: float
    """That rate."""
    when: str
    """steady, or what happened at that time: a checkpoint, a recovery."""
    alerts: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float


class SustainableRate(msgspec.Struct, frozen=True, kw_only=True):
    """The highest at which lag doesn't grow."""

    contender: str
    records_a_second: float
    seconds: float
    """So long it was held."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Result of killing a process under a steady load."""

    killed: str
    records_a_second: float
    seconds_to_alert: float
    """Seconds until the first alert of a payment sent after the kill."""
    seconds_to_normal: float | None
    """Until alerts are as quick as before; None if they weren't while it was measured."""
    alerts: int
    missing: int
    repeated: int
    """Copies, with the ids of their originals."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A catch-up of the fraud job at one point of a series."""

    grows: str
    """What differs in the series: cards, events a card, rules."""
    cards: int
    day_events: int
    """Payments of each card in 24 hours."""
    rules: int
    backend: str
    """Where state is: hashmap (Java's heap) or rocksdb."""
    payments: int
    """So many were measured."""
    records_a_second: float
    records_a_cpu_second: float
    peak_bytes: int
    state_bytes: int
    """Of a checkpoint when all had been read."""
    checkpoint_seconds: float
    """So long it took."""

    @property
    def size(self) -> int:
        """The number that differs."""
        return {"cards": self.cards, "events a card": self.day_events, "rules": self.rules}[self.grows]


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """A catch-up with or without something that makes it safe."""

    safety: str
    """What it is about."""
    how: str
    records_a_second: float
    records_a_cpu_second: float
    checkpoints: int
    """That were completed until all had been read."""
    ratio: float
    """Payments a CPU-second, to those of the first of the same safety, which is the least safe."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be reached, and whether it is."""

    what: str
    wanted: float
    is_least: bool
    """Whether more is better."""
    measured: float | None
    """None if it wasn't."""

    @property
    def is_reached(self) -> bool | None:
        """None if it wasn't measured."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.is_least else self.measured <= self.wanted


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run."""

    schema_version: int = SCHEMA_VERSION
    measured_at: str
    """When it began, ISO 8601 in UTC."""
    machine: Machine
    throughput: list[Throughput] = []
    latency: list[Latency] = []
    sustainable: list[SustainableRate] = []
    growth: list[Growth] = []
    safety: list[Safety] = []
    recovery: list[Recovery] = []
    targets: list[Target] = []


def records(kind: type[Any], results: Iterable[object]) -> list[Any]:
    """What a measurement returned, as records of the report: fields of the same names."""
    return [msgspec.convert(each, kind, from_attributes=True) for each in results]


def write(report: Report, file: Path) -> None:
    """As JSON that can be read by people, too."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def read(file: Path) -> Report:
    """What `write` wrote.

    Raises:
        msgspec.ValidationError: it was another version.
    """
    return msgspec.json.decode(file.read_bytes(), type=Report)


def targets(report: Report) -> list[Target]:
    """Each target with what was measured."""
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
    """At most linear: with n times as much a payment costs at most n times as much CPU."""
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
    """Hardly less with the most cards than with the fewest."""
    series = next((s for s in series_of(results) if s[0].grows == "cards" and s[0].backend == backend), [])
    return Target(
        what=f"payments a CPU-second with the most cards, to the fewest ({backend})",
        wanted=FLAT,
        is_least=True,
        measured=series[-1].records_a_cpu_second / series[0].records_a_cpu_second if len(series) > 1 else None,
    )


def series_of(results: Sequence[Growth]) -> list[list[Growth]]:
    """Each ascending."""
    ordered = sorted(results, key=lambda each: (each.grows, each.backend, each.size))
    return [list(series) for _, series in groupby(ordered, key=lambda each: (each.grows, each.backend))]


TARGET_HEAD = ("target", "wanted", "measured", "reached")


def target_rows(targets: Sequence[Target]) -> list[tuple[str, ...]]:
    """Lines of the table."""
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
