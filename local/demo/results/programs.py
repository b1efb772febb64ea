"""Counts each program's input, output, dead letters and lag."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition

from connectors.kafka.client import client_options
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from jobs.flow import PROGRAMS, Program, consumers
from local.demo.checks.finding import Finding
from local.demo.results.observer import Observed

Committed = Mapping[str, Mapping[TopicPartition, int]]
"""Offset behind the last record that was read, by consumer group."""
HEADINGS = ("program", "consumer group", "in", "out", "dead letters", "lag")


@dataclass(frozen=True)
class Progress:
    """Progress of a consumer group, in records; other uses of an offset, such as a transaction's end, don't count."""

    taken_in: Mapping[str, int]
    """Number of records by topic."""
    lag: int
    """Number of records that it has yet to read, or to commit at its next checkpoint."""


@dataclass(frozen=True)
class Flow:
    """Figures of one program at one moment."""

    program: Program
    taken_in: int
    """Number of records read; of a producer, of records in its ledger."""
    out: int
    dead_letters: int
    lag: int | None
    """Lag; None for a program that reads no topic."""


def committed(settings: Settings, programs: Iterable[Program] = PROGRAMS) -> Committed:
    """Read the committed offsets of the programs' consumer groups from Kafka.

    Raises:
        KafkaError: it doesn't answer.
    """
    groups = [program.group(settings) for program in consumers(programs)]
    admin = KafkaAdminClient(**client_options(settings.kafka_bootstrap_servers))
    try:
        found = admin.list_group_offsets(groups)
    finally:
        admin.close()
    return {group: {partition: each.offset for partition, each in offsets.items()} for group, offsets in found.items()}


def progress(observed: Observed, reads: Iterable[Topic], offsets: Mapping[TopicPartition, int]) -> Progress:
    """Return the progress of a group that reads these topics and has committed these offsets."""
    taken_in: dict[str, int] = {}
    lag = 0
    for topic in reads:
        taken_in[topic.name] = 0
        for number in range(topic.partitions):
            partition = TopicPartition(topic.name, number)
            seen: list[int] = observed.offsets.get(partition) or []
            read = bisect_left(seen, offsets.get(partition, 0))
            taken_in[topic.name] += read
            lag += len(seen) - read
    return Progress(taken_in, lag)


def flows(
    settings: Settings,
    observed: Observed,
    read_so_far: Committed,
    made: Mapping[Program, int],
    filled: Mapping[Program, int],
) -> list[Flow]:
    """Return the figures of every program, in the order of the data flow.

    Args:
        made: what each producer had to emit, by its ledger; without those that the demo doesn't run.
        filled: number of items in what each program fills that is no topic.
    """
    found = []
    for program in PROGRAMS:
        far = progress(observed, program.reads, read_so_far.get(program.group(settings), {}))
        found.append(
            Flow(
                program=program,
                taken_in=sum(far.taken_in.values()) if program.reads else made.get(program, 0),
                out=sum(observed.records[topic.name] for topic in program.writes) + filled.get(program, 0),
                dead_letters=len(observed.dead_letters_of(program.name)),
                lag=far.lag if program.reads else None,
            )
        )
    return found


def findings(found: Iterable[Flow]) -> Iterable[Finding]:
    """Yield the check that every consumer group has read everything."""
    behind = [f"{each.program.name}: {each.lag:,}" for each in found if each.lag]
    groups = [each for each in found if each.lag is not None]
    yield Finding(
        "each consumer group has read all there is",
        "; ".join(behind) or f"lag 0 of {len(groups)} groups",
        not behind,
    )


def row(settings: Settings, flow: Flow) -> tuple[str, str, str, str, str, str]:
    """Return a row of the table with `HEADINGS`."""
    reads = bool(flow.program.reads)
    return (
        flow.program.name,
        flow.program.group(settings) if reads else "-",
        f"{flow.taken_in:,}",
        f"{flow.out:,}{f' {flow.program.fills}' if flow.program.fills else ''}",
        f"{flow.dead_letters:,}" if reads else "-",
        "-" if flow.lag is None else f"{flow.lag:,}",
    )
