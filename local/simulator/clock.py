"""Clock of a simulation: converts simulated times into wall-clock times."""

import time


class Clock:
    """Translates simulated time into wall-clock time.

    `speed` is how many simulated seconds pass per real second; 0 never waits. With a real clock, simulated time is
    wall-clock time. Otherwise the clock starts when the first moment from `start_ms` on is awaited; earlier moments are
    history.
    """

    def __init__(self, start_ms: int, speed: float, real: bool = False) -> None:
        if speed < 0 or (real and speed != 1):
            raise ValueError(f"a {'real' if real else 'simulated'} clock can't run at speed {speed}")
        self._start_ms, self._speed = start_ms, speed
        self._started = time.monotonic() + start_ms / 1000 - time.time() if real else None

    def seconds_until(self, at_ms: int) -> float:
        """Return the wall-clock seconds until that moment; negative if it is past."""
        if self._speed == 0 or at_ms < self._start_ms:
            return 0.0
        if self._started is None:
            self._started = time.monotonic()
        return self._started + (at_ms - self._start_ms) / 1000 / self._speed - time.monotonic()
