"""Measurements as flat records of plain numbers: the content of `bench-results.json`.

Knows neither Flink nor Kafka, so that the peers' environment, which has what plots need, can read it.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

SCHEMA_VERSION = 1
OURS = "millrace"
HALF = 0.5
"""Share of the sustainable rate."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Machine and software of a measurement."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    busy_before: float
    """Share of all cores in use before the start."""
    versions: dict[str, str]
    """Versions of Python, Flink, Java, Kafka, and the peers."""


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """A catch-up of one contender."""

    contender: str
    parallelism: int
    payments: int
    """Number of payments in the topic."""
    wall_seconds: float
    """Seconds from its start to its last alert."""
    records_a_second: float
    """Payments a second after it had warmed up."""
    records_a_cpu_second: float
    """Payments a second of CPU time after it had warmed up."""
    cores: float
    """Number of cores that it kept busy then."""
    peak_bytes: int
    """Resident memory of all its processes."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Time from the moment at which a payment was due to its alert's arrival in Kafka."""

    contender: str
    load: float
    """Share of our job's sustainable rate."""
    records_a_second: float
    """Payments a second at that load."""
    when: str
    """steady, or what happened at that time: a checkpoint, a recovery."""
    alerts: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float


class SustainableRate(msgspec.Struct, frozen=True, kw_only=True):
    """Highest rate at which lag doesn't grow."""

    contender: str
    records_a_second: float
    seconds: float
    """How long it was held."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Result of killing a process under a steady load."""

    killed: str
    records_a_second: float
    seconds_to_alert: float
    """Seconds until the first alert of a payment sent after the kill."""
    seconds_to_normal: float | None
    """Seconds until alerts are as quick as before; None if they weren't while it was measured."""
    alerts: int
    missing: int
    repeated: int
    """Number of duplicates, with the ids of their originals."""


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
    """Number of payments that were measured."""
    records_a_second: float
    records_a_cpu_second: float
    peak_bytes: int
    state_bytes: int
    """Size of a checkpoint when all payments had been read."""
    checkpoint_seconds: float
    """Duration of that checkpoint."""

    @property
    def size(self) -> int:
        """The number that differs in the series."""
        return {"cards": self.cards, "events a card": self.day_events, "rules": self.rules}[self.grows]


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """A catch-up with or without something that makes it safe."""

    safety: str
    """Subject: format, checkpoints or delivery."""
    how: str
    records_a_second: float
    records_a_cpu_second: float
    checkpoints: int
    """Number of checkpoints that were completed until all payments had been read."""
    ratio: float
    """Payments a CPU-second in relation to the first of the same safety, which is the least safe."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A target, and whether it is reached."""

    what: str
    wanted: float
    is_least: bool
    """Whether more is better."""
    measured: float | None
    """Measured value; None if it wasn't measured."""

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None if it wasn't measured."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.is_least else self.measured <= self.wanted


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All results of one run."""

    schema_version: int = SCHEMA_VERSION
    measured_at: str
    """Begin of the run, ISO 8601 in UTC."""
    machine: Machine
    throughput: list[Throughput] = []
    latency: list[Latency] = []
    sustainable: list[SustainableRate] = []
    growth: list[Growth] = []
    safety: list[Safety] = []
    recovery: list[Recovery] = []
    targets: list[Target] = []


def write(report: Report, file: Path) -> None:
    """Write the report as indented JSON."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def read(file: Path) -> Report:
    """Read a report that `write` wrote.

    Raises:
        msgspec.ValidationError: it was written by another version.
    """
    return msgspec.json.decode(file.read_bytes(), type=Report)


def series_of(results: Sequence[Growth]) -> list[list[Growth]]:
    """Return the results of each series in ascending order of what grows."""
    ordered = sorted(results, key=lambda each: (each.grows, each.backend, each.size))
    return [list(series) for _, series in groupby(ordered, key=lambda each: (each.grows, each.backend))]
