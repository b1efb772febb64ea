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


def write(report: Report, file: Path) -> None:
    """As JSON that can be read by people, too."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def read(file: Path) -> Report:
    """What `write` wrote.

    Raises:
        msgspec.ValidationError: it was another version.
    """
    return msgspec.json.decode(file.read_bytes(), type=Report)


def series_of(results: Sequence[Growth]) -> list[list[Growth]]:
    """Return the results of each series in ascending order of what grows."""
    ordered = sorted(results, key=lambda each: (each.grows, each.backend, each.size))
    return [list(series) for _, series in groupby(ordered, key=lambda each: (each.grows, each.backend))]
