"""Schedules of kills: which service is killed when, and how long it stays down, drawn from a seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Range = tuple[float, float]
"""Minimum and maximum, in seconds."""


@dataclass(frozen=True)
class Kill:
    """One SIGKILL."""

    at: float
    """Seconds after the start."""
    service: str
    unavailable_seconds: float
    """Seconds before the service is started again, without the duration of its start."""


def schedule(seed: int, seconds: float, every: Range, away: Range, services: Mapping[str, Sequence[str]]) -> list[Kill]:
    """Draw the kills of a run, in order of time; the same arguments give the same kills.

    Args:
        seconds: the last kill comes before.
        every: from one kill to the next, and to the first.
        away: from a kill to the service's start.
        services: by role, the services that fill it. Each role is as likely as the others.
    """
    drawn = random.Random(seed)
    kills: list[Kill] = []
    at = drawn.uniform(*every)
    while at < seconds:
        role = drawn.choice(sorted(services))
        kills.append(Kill(at, drawn.choice(services[role]), drawn.uniform(*away)))
        at += drawn.uniform(*every)
    return kills
