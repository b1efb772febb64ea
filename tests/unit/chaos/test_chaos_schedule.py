"""Kills are drawn from a seed, so that a run that found something can be run again."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.schedule import schedule

SERVICES = {"connect": ["connect"], "kafka": ["kafka"], "taskmanager": ["taskmanager-1", "taskmanager-2"]}


def test_same_seed_draws_the_same_kills_and_another_seed_others() -> None:
    first = schedule(7, 120, (6, 14), (0, 5), SERVICES)

    assert first == schedule(7, 120, (6, 14), (0, 5), SERVICES)
    assert first != schedule(8, 120, (6, 14), (0, 5), SERVICES)


@given(seed=st.integers(0), seconds=st.floats(0, 600))
def test_every_kill_keeps_its_distance_and_comes_before_the_end(seed: int, seconds: float) -> None:
    kills = schedule(seed, seconds, (6, 14), (0, 5), SERVICES)

    assert all(6 <= after.at - before.at <= 14.000001 for before, after in pairwise(kills))
    assert all(6 <= kill.at < seconds and 0 <= kill.unavailable_seconds <= 5 for kill in kills)
    assert len(kills) >= (seconds - 14) // 14


def test_every_service_of_every_role_is_killed_eventually() -> None:
    kills = schedule(1, 5_000, (6, 14), (0, 5), SERVICES)

    assert {kill.service for kill in kills} == {"connect", "kafka", "taskmanager-1", "taskmanager-2"}
