"""Who takes part: the fraud job of Millrace, and its peers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.contenders.kinds import CHECKPOINT_SECONDS, Contender, Job, Program
from tests.bench.reports.results import OURS
from tests.services.free_ports import free_ports


def contenders(python: Path) -> list[Contender]:
    """Return all contenders.

    Args:
        python: interpreter that has the packages of the peers.
    """

    def each(module: str) -> Callable[[Path, int], Sequence[Sequence[str]]]:
        return lambda _, parallelism: [[f"tests.bench.contenders.without_flink.{module}"]] * parallelism

    return [
        Job(OURS, "the fraud job of Millrace", "jobs.fraud_detection"),
        Job("decode", "payments decoded and dropped", "tests.bench.contenders.on_flink.decode"),
        Program("plain loop", "confluent-kafka and msgspec, one process, nothing kept", python, each("plain_loop")),
        Program("bytewax", "with recovery", python, _bytewax, lambda folder: ["bytewax.recovery", str(folder), "1"]),
        Program("quixstreams", "with RocksDB and changelog topics", python, each("quix_application")),
        Job("over windows", "Flink's SQL, five OVER windows", "tests.bench.contenders.on_flink.over_windows"),
        Job(
            "keyed process", "Flink's Python, one KeyedProcessFunction", "tests.bench.contenders.on_flink.keyed_process"
        ),
    ]


def contender_named(name: str, python: Path) -> Contender:
    """Return the contender of that name."""
    return next(each for each in contenders(python) if each.name == name)


def _bytewax(folder: Path, parallelism: int) -> Sequence[Sequence[str]]:
    flow = ["bytewax.run", "tests.bench.contenders.without_flink.bytewax_flow:flow"]
    flow += ["-r", str(folder), "-s", f"{CHECKPOINT_SECONDS:.0f}", "-b", "0"]
    if parallelism == 1:
        return [flow]
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(parallelism))
    return [[*flow, "-i", str(number), "-a", addresses] for number in range(parallelism)]


NAMES = tuple(each.name for each in contenders(Path()))
