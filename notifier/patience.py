"""When is a message tried again, and when is it given up? No clock in here: every moment is an argument, in seconds."""

from dataclasses import dataclass
from random import Random

LEAST_SHARE = 0.5
"""A delay is between this share of itself and all of it, so that what failed together isn't tried again together."""


@dataclass(frozen=True)
class Patience:
    """How long is waited, and for what."""

    attempts: int
    """So often a message is offered to a server that is there."""
    outage_seconds: float
    """So long a message waits for a server that isn't."""
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 300.0
    longest_probe_seconds: float = 15.0
    """The longest between two looks whether a server that was away is back."""

    def retry_delay(self, failures: int, random: Random) -> float:
        """Before a message is offered again that has failed so often: doubled with each failure."""
        return self._delay(failures, self.longest_delay_seconds, random)

    def probe_delay(self, failures: int, random: Random) -> float:
        """Before a server is asked again that has not answered so often."""
        return self._delay(failures, self.longest_probe_seconds, random)

    def _delay(self, failures: int, longest: float, random: Random) -> float:
        doubled = self.first_delay_seconds * 2.0 ** min(failures - 1, 60)
        return min(longest, doubled) * random.uniform(LEAST_SHARE, 1)


@dataclass
class Availability:
    """Whether the mail server is there. While it isn't, one message at a time is offered, to see whether it is back."""

    patience: Patience
    random: Random
    away_since: float | None = None
    """None while it is there."""
    reason: str = ""
    _failures: int = 0
    _next_probe: float = 0.0
    _is_probing: bool = False

    @property
    def is_there(self) -> bool:
        """As far as is known."""
        return self.away_since is None

    def is_open(self, now: float) -> bool:
        """Whether a message may be offered now; while the server is away, one at a time and not too often."""
        return self.is_there or (not self._is_probing and now >= self._next_probe)

    def claim(self) -> None:
        """A message is offered, which was allowed."""
        self._is_probing = not self.is_there

    def answered(self) -> None:
        """It was there for a message."""
        self.away_since, self.reason, self._failures, self._is_probing = None, "", 0, False

    def failed(self, reason: str, now: float) -> None:
        """It was not; of messages that were under way together, only the first counts."""
        self.reason = reason
        if self.away_since is None:
            self.away_since = now
        elif not self._is_probing:
            return
        self._is_probing = False
        self._failures += 1
        self._next_probe = now + self.patience.probe_delay(self._failures, self.random)

    def is_over(self, waiting_since: float, now: float) -> bool:
        """Whether a message that came then has waited too long for a server that is away."""
        if self.away_since is None:
            return False
        return now - max(self.away_since, waiting_since) > self.patience.outage_seconds
