"""How much has come into each box of the picture, how much out of it, and how much is left to read?"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition

from connectors.kafka.client import client_options
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from jobs.flow import BOXES, Box, consumers
from local.demo.checks.proof import Finding
from local.demo.figures.observer import Observed

Committed = Mapping[str, Mapping[TopicPartition, int]]
"""By consumer group, the offset behind the last record that it has taken in."""
HEADINGS = ("box", "consumer group", "in", "out", "dead letters", "lag")


@dataclass(frozen=True)
class Progress:
    """How far a consumer group is, in records; what else takes up an offset, such as a transaction's end, isn't one."""

    taken_in: Mapping[str, int]
    """By topic."""
    lag: int
    """Records that it has yet to read, or to commit at its next checkpoint."""


@dataclass(frozen=True)
class Flow:
    """One box at one moment."""

    box: Box
    taken_in: int
    """Records; of a producer, what it was told to make known."""
    out: int
    dead_letters: int
    lag: int | None
    """None for what reads no topic."""


def committed(settings: Settings, boxes: Iterable[Box] = BOXES) -> Committed:
    """Ask Kafka.

    Raises:
        KafkaError: it doesn't answer.
    """
    groups = [box.group(settings) for box in consumers(boxes)]
    admin = KafkaAdminClient(**client_options(settings.kafka_bootstrap_servers))
    try:
        found = admin.list_group_offsets(groups)
    finally:
        admin.close()
    return {group: {partition: each.offset for partition, each in offsets.items()} for group, offsets in found.items()}


def progress(observed: Observed, reads: Iterable[Topic], offsets: Mapping[TopicPartition, int]) -> Progress:
    """How far a group is that reads these topics and has committed these offsets."""
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
    settings: Settings, observed: Observed, read_so_far: Committed, made: Mapping[Box, int], filled: Mapping[Box, int]
) -> list[Flow]:
    """Every box, in the picture's order.

    Args:
        made: what each producer had to make known, by its ledger.
        filled: how much is in what each box fills that is no topic.
    """
    found = []
    for box in BOXES:
        far = progress(observed, box.reads, read_so_far.get(box.group(settings), {}))
        found.append(
            Flow(
                box=box,
                taken_in=sum(far.taken_in.values()) if box.reads else made[box],
                out=sum(observed.records[topic.name] for topic in box.writes) + filled.get(box, 0),
                dead_letters=len(observed.dead_letters_of(box.name)),
                lag=far.lag if box.reads else None,
            )
        )
    return found


def findings(found: Iterable[Flow]) -> Iterable[Finding]:
    """What must be so of every box in the end."""
    behind = [f"{each.box.name}: {each.lag:,}" for each in found if each.lag]
    groups = [each for each in found if each.lag is not None]
    yield Finding(
        "each consumer group has read all there is",
        "; ".join(behind) or f"lag 0 of {len(groups)} groups",
        not behind,
    )


def row(settings: Settings, flow: Flow) -> tuple[str, str, str, str, str, str]:
    """A line of the table with `HEADINGS`."""
    reads = bool(flow.box.reads)
    return (
        flow.box.name,
        flow.box.group(settings) if reads else "-",
        f"{flow.taken_in:,}",
        f"{flow.out:,}{f' {flow.box.fills}' if flow.box.fills else ''}",
        f"{flow.dead_letters:,}" if reads else "-",
        "-" if flow.lag is None else f"{flow.lag:,}",
    )
