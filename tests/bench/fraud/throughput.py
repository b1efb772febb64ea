"""How fast is fraud found, against what? The job and its peers catch up from one full Kafka topic.

Every contender gives the same alerts, or it has no figure. Who takes part says contenders.py.
"""

from collections.abc import Mapping, Sequence

from connectors.topics import PAYMENTS
from events import FraudAlert
from local.stack.supervisor import Stack
from ops.flink_rest import FlinkError
from tests.bench.fraud import contest
from tests.bench.fraud.contenders import OURS, Contender, ContenderError
from tests.bench.fraud.flink_peers.decode import EVERY
from tests.bench.fraud.harness import Topic
from tests.bench.fraud.report import Throughput


def throughput(
    chosen: Sequence[Contender], stack: Stack, topic: Topic, *, parallelism: int, deadline_seconds: float
) -> list[Throughput]:
    """One after the other; who fails is told, and has no result."""
    results = []
    for contender in chosen:
        expected = expected_of(contender, topic)
        try:
            result = contest.run(
                contender, stack, expected, topic.payments, parallelism=parallelism, deadline_seconds=deadline_seconds
            )
        except (ContenderError, FlinkError) as error:
            print(f"{contender.name} has no figure: {error}", flush=True)
            continue
        print(f"{contender.name}: {result.records_a_second:,.0f} a second", flush=True)
        results.append(result)
    return results


def expected_of(contender: Contender, topic: Topic) -> Mapping[str, FraudAlert] | int:
    """The alerts; or how many marks the one leaves at least that gives none."""
    return topic.payments // EVERY - PAYMENTS.partitions if contender.name == "decode" else topic.alerts


HEAD = ("who", "cores", "a second", "a CPU-second", "ratio", "busy cores", "peak MB", "start to end")


def rows(results: Sequence[Throughput]) -> list[tuple[str, ...]]:
    """Lines of the table; the ratio is ours to theirs, a CPU-second, on as many cores."""
    ours = {each.parallelism: each.records_a_cpu_second for each in results if each.contender == OURS}
    return [
        (
            each.contender,
            str(each.parallelism),
            f"{each.records_a_second:,.0f}",
            f"{each.records_a_cpu_second:,.0f}",
            f"{ours[each.parallelism] / each.records_a_cpu_second:.2f}" if each.parallelism in ours else "-",
            f"{each.cores:.2f}",
            f"{each.peak_bytes / 1e6:,.0f}",
            f"{each.wall_seconds:.1f} s",
        )
        for each in results
    ]
