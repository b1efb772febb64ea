"""Passes of the contest: contender, topic and cores of each, and the interval of polling a cluster."""

import time

import pytest

from tests.bench.contenders.kinds import ASK_SECONDS, seldom
from tests.bench.contenders.roster import NAMES
from tests.bench.measurements.throughput import FEWER, FULL, MANY, SLOW, Pass, chosen_passes


def test_all_contenders_run_on_one_core_and_on_two() -> None:
    passes = chosen_passes(FULL, (), (), None)

    assert {name for each in passes if each.parallelism == 1 for name in each.names} == set(NAMES)
    assert {name for each in passes if each.parallelism == 2 for name in each.names} == set(NAMES)
    assert all("millrace" in each.names for each in passes), "or there is nothing to compare with"


def test_slow_contenders_have_a_smaller_topic() -> None:
    assert not set(MANY.names) & set(SLOW)
    assert chosen_passes(FULL, ("millrace", "over windows"), (1,), None) == [
        Pass(MANY.payments, 1, ("millrace",)),
        Pass(FEWER, 1, ("millrace", "over windows")),
    ]


def test_topic_and_cores_can_be_chosen() -> None:
    assert chosen_passes(FULL, ("bytewax",), (1, 4), 5_000) == [
        Pass(5_000, 1, ("bytewax",)),
        Pass(5_000, 4, ("bytewax",)),
    ]
    assert chosen_passes(FULL, (), (3,), None) == [Pass(FEWER, 3, NAMES)]


def test_cluster_is_polled_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    answers = iter(["", "it has failed"])
    fault = seldom(lambda: next(answers))

    assert [fault(), fault()] == ["", ""]
    now += ASK_SECONDS + 0.1
    assert [fault(), fault()] == ["it has failed", "it has failed"]
