"""The benchmark's own parts: a run whose alerts are not the expected ones gives no result."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from local.stack.supervisor import Stack
from tests.bench.contenders.kinds import ContenderError
from tests.bench.contenders.roster import NAMES, contender_named
from tests.bench.environment import peer_python
from tests.bench.environment.stack import bench_stack
from tests.bench.measurements import growth, throughput
from tests.bench.measurements.growth import Point
from tests.bench.payments.even import CYCLE
from tests.bench.payments.topic import Topic, fill_simulated
from tests.bench.reports.results import OURS
from tests.bench.runs import catch_up
from tests.bench.runs.steady_load import live

pytestmark = pytest.mark.full

PAYMENTS, CARDS = 60_000, 1_200
MEASURED = 150_000
"""Payments of one point of growth. With far fewer, CPU time is sampled too rarely to give a result."""
DEADLINE_SECONDS = 180.0


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter with the peers' packages."""
    return peer_python.interpreter()


@pytest.fixture(scope="module")
def bench() -> Iterator[Stack]:
    """A stack of the module's own, since payments and rules of other tests would count."""
    with bench_stack() as running:
        yield running


@pytest.fixture(scope="module")
def topic(bench: Stack, python: Path) -> Topic:
    """The topic that all contenders read."""
    return fill_simulated(bench.setup.settings, python, PAYMENTS, CARDS)


@pytest.mark.parametrize("name", NAMES)
def test_every_contender_raises_exactly_the_expected_alerts(
    name: str, bench: Stack, python: Path, topic: Topic
) -> None:
    contender = contender_named(name, python)
    expected = throughput.expected_of(contender, topic)
    result = catch_up.run(contender, bench, expected, topic.payments, deadline_seconds=DEADLINE_SECONDS)
    assert (result.contender, result.payments) == (name, PAYMENTS)
    assert 0 < result.records_a_cpu_second < float("inf")
    assert result.peak_bytes > 0


def test_unexpected_alert_fails_the_run_instead_of_giving_a_result(bench: Stack, python: Path, topic: Topic) -> None:
    alert_id, alert = next(iter(topic.alerts.items()))
    other = {**topic.alerts, alert_id: replace(alert, score=alert.score + 1)}
    with pytest.raises(ContenderError, match=r"plain loop doesn't say what it must"):
        catch_up.run(
            contender_named("plain loop", python), bench, other, topic.payments, deadline_seconds=DEADLINE_SECONDS
        )


def test_growth_point_has_state_size_and_checkpoint_duration(bench: Stack, python: Path) -> None:
    point = Point("rules", 100, 3, rules=1, backend=growth.ROCKSDB)
    [result] = growth.growth([point], bench, python, measured=MEASURED, deadline_seconds=DEADLINE_SECONDS)
    assert (result.rules, result.backend, result.payments) == (1, growth.ROCKSDB, MEASURED)
    assert result.state_bytes > 0
    assert result.checkpoint_seconds > 0


def test_load_has_a_latency_sample_of_each_alert(bench: Stack, python: Path) -> None:
    with live(contender_named(OURS, python), bench, python) as running:
        running.load(CYCLE, 4)  # the first payments also wait for Python to start
        load = running.load(CYCLE, 4)
    assert len(load.samples) == 4
    assert all(0 < sample.ms < 1000 * DEADLINE_SECONDS for sample in load.samples)
