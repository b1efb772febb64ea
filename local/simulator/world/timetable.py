"""Timetable of a run: its start, its end, and the moments of its events."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

from local.simulator.world.places import world_activity

STEP_MS = 60_000
"""Period for which activity is taken as constant."""


class OptionsError(ValueError):
    """The options of a run are invalid; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """Start, rate, duration and seed of a run."""

    start_ms: int
    """Event time at which it starts, in UTC milliseconds."""
    rate: float = 200.0
    """Payments or orders per second, the mean over the run."""
    seconds: float = 60.0
    """Duration in event time, in seconds; 0: until it is stopped."""
    seed: int = 7
    """Seed; two simultaneous runs need different ones, or they produce the same ids."""

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.seconds < 0:
            raise OptionsError(f"a rate of {self.rate} for {self.seconds} seconds is not a run")

    @cached_property
    def run(self) -> str:
        """Prefix of all ids of the run: another seed or another start makes other ids."""
        return hashlib.blake2s(f"{self.seed}/{self.start_ms}".encode(), digest_size=4).hexdigest()

    @property
    def end_ms(self) -> float:
        """Event time at which it ends."""
        return self.start_ms + self.seconds * 1000 if self.seconds else math.inf

    @property
    def moments_in_all(self) -> float:
        """Number of moments in the run: rate × seconds."""
        return round(self.rate * self.seconds) if self.seconds else math.inf

    def moments(self, random: Random) -> Iterator[int]:
        """Yield event times in order, never before the start or after the end.

        A run with an end follows the world's day; one without has a constant rate.
        """
        if not self.seconds:
            yield from self._evenly(random)
            return
        steps = [(at, min(at + STEP_MS, self.end_ms)) for at in range(self.start_ms, math.ceil(self.end_ms), STEP_MS)]
        masses = [(until - at) * world_activity(at) for at, until in steps]
        each = sum(masses) / self.moments_in_all
        mass_before, number = 0.0, 0
        place = random.random() * each
        for (at, until), mass in zip(steps, masses, strict=True):
            while place < mass_before + mass and number < self.moments_in_all:
                yield at + int((place - mass_before) / mass * (until - at))
                number += 1
                place = (number + random.random()) * each
            mass_before += mass

    def _evenly(self, random: Random) -> Iterator[int]:
        number = 0
        while True:
            yield self.start_ms + int((number + random.random()) * 1000 / self.rate)
            number += 1
