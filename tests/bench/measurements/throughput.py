"""Measures the throughput of the job and its peers, which catch up from one full Kafka topic.

Every contender gives the same alerts, or it has no figure. contenders/roster.py lists them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from connectors.kafka.topics import PAYMENTS
from events import FraudAlert
from local.stack.supervisor import Stack
from ops.jobs.flink_rest import FlinkError
from tests.bench.contenders.kinds import Contender, ContenderError
from tests.bench.contenders.on_flink.decode import EVERY
from tests.bench.contenders.roster import NAMES, contenders
from tests.bench.environment.topics import empty
from tests.bench.payments.topic import Topic, fill_simulated
from tests.bench.reports.results import OURS, Throughput
from tests.bench.runs import catch_up


@dataclass(frozen=True)
class Pass:
    """Contenders that catch up from the same number of payments, one after the other."""

    payments: int
    """Number of payments in the topic."""
    parallelism: int
    names: tuple[str, ...] = ()
    """Names of the contenders; all if it is empty."""


SLOW = ("over windows", "keyed process")
"""Contenders that take minutes for a million payments."""
MANY = Pass(1_000_000, 1, (OURS, "decode", "plain loop", "bytewax", "quixstreams"))
FEWER = 250_000
FULL = (MANY, Pass(FEWER, 1, (OURS, *SLOW)), Pass(FEWER, 2))
QUICK = (Pass(60_000, 1),)
PAYMENTS_A_CARD = 50


def chosen_passes(
    passes: Sequence[Pass], names: Sequence[str], parallelisms: Sequence[int], payments: int | None
) -> list[Pass]:
    """Return the passes that are asked for, or others.

    Args:
        names: names of contenders; all if it is empty.
        parallelisms: those of the passes without any; also others.
        payments: in the topic, instead of what the passes say.
    """
    others = [each for each in parallelisms if each not in {known.parallelism for known in passes}]
    passes = [*passes, *(Pass(FEWER, each) for each in others)]
    if payments:
        passes = [Pass(payments, each) for each in sorted({each.parallelism for each in passes})]
    found = []
    for each in passes:
        wanted = tuple(name for name in each.names or NAMES if not names or name in names)
        if wanted and (not parallelisms or each.parallelism in parallelisms):
            found.append(replace(each, names=wanted))
    return found


def throughput(passes: Sequence[Pass], stack: Stack, python: Path, *, deadline_seconds: float) -> list[Throughput]:
    """Run one contender after the other. A contender that fails has no result; the reason is printed.

    Args:
        python: interpreter that has the packages of the peers.
        deadline_seconds: most time that a contender may take.
    """
    results = []
    settings = stack.setup.settings
    for payments, of_topic in groupby(passes, key=lambda each: each.payments):
        topic = fill_simulated(settings, python, payments, payments // PAYMENTS_A_CARD)
        for each in of_topic:
            for contender in contenders(python):
                if contender.name in each.names:
                    results += _run(contender, stack, topic, each.parallelism, deadline_seconds)
        empty(settings, PAYMENTS.name)
    return results


def _run(
    contender: Contender, stack: Stack, topic: Topic, parallelism: int, deadline_seconds: float
) -> list[Throughput]:
    expected = expected_of(contender, topic)
    try:
        result = catch_up.run(
            contender, stack, expected, topic.payments, parallelism=parallelism, deadline_seconds=deadline_seconds
        )
    except (ContenderError, FlinkError) as error:
        print(f"{contender.name} has no figure: {error}", flush=True)
        return []
    print(f"{contender.name}: {result.records_a_second:,.0f} a second", flush=True)
    return [result]


def expected_of(contender: Contender, topic: Topic) -> Mapping[str, FraudAlert] | int:
    """Return the alerts; for `decode`, which raises none, the minimum number of its marks."""
    return topic.payments // EVERY - PAYMENTS.partitions if contender.name == "decode" else topic.alerts


HEAD = ("who", "payments", "cores", "a second", "a CPU-second", "ratio", "busy cores", "peak MB", "start to end")


def rows(results: Sequence[Throughput]) -> list[tuple[str, ...]]:
    """Return the lines of the table; the ratio is ours to theirs a CPU-second, over one topic on as many cores."""
    ours = {(each.payments, each.parallelism): each.records_a_cpu_second for each in results if each.contender == OURS}
    return [
        (
            each.contender,
            f"{each.payments:,}",
            str(each.parallelism),
            f"{each.records_a_second:,.0f}",
            f"{each.records_a_cpu_second:,.0f}",
            _ratio(ours.get((each.payments, each.parallelism)), each),
            f"{each.cores:.2f}",
            f"{each.peak_bytes / 1e6:,.0f}",
            f"{each.wall_seconds:.1f} s",
        )
        for each in results
    ]


def _ratio(ours: float | None, other: Throughput) -> str:
    return f"{ours / other.records_a_cpu_second:.2f}" if ours else "-"
