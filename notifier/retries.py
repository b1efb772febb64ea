"""Policy for retries: when a message is offered again, and when it is given up. Has no clock: times are arguments, in
seconds."""

from dataclasses import dataclass
from random import Random

LEAST_SHARE = 0.5
"""Lower bound of a random delay, as a share of the full one, so that simultaneous failures aren't retried together."""


@dataclass(frozen=True)
class RetryPolicy:
    """Limits on attempts, outages and delays."""

    attempts: int
    """Maximum number of times a message is offered to a server that is available."""
    outage_seconds: float
    """How long a message waits for a server that is unavailable."""
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 300.0
    longest_probe_seconds: float = 15.0
    """Maximum delay between two checks whether an unavailable server is available again."""

    def retry_delay(self, failures: int, random: Random) -> float:
        """Return the delay before a message is offered again; it doubles with each failure."""
        return self._delay(failures, self.longest_delay_seconds, random)

    def probe_delay(self, failures: int, random: Random) -> float:
        """Return the delay before an unavailable server is checked again; it doubles with each failure."""
        return self._delay(failures, self.longest_probe_seconds, random)

    def _delay(self, failures: int, longest: float, random: Random) -> float:
        doubled = self.first_delay_seconds * 2.0 ** min(failures - 1, 60)
        return min(longest, doubled) * random.uniform(LEAST_SHARE, 1)


@dataclass
class Availability:
    """Availability of the mail server. While it is unavailable, messages are offered one at a time, to detect its
    return."""

    policy: RetryPolicy
    random: Random
    unavailable_since: float | None = None
    """When the server became unavailable; None while it is available."""
    reason: str = ""
    _failures: int = 0
    _next_probe: float = 0.0
    _is_probing: bool = False

    @property
    def is_available(self) -> bool:
        """Whether the server is available, as far as is known."""
        return self.unavailable_since is None

    def is_open(self, now: float) -> bool:
        """Return whether a message may be offered now; while the server is unavailable, one at a time, with delays."""
        return self.is_available or (not self._is_probing and now >= self._next_probe)

    def claim(self) -> None:
        """Note that a message is offered, after `is_open` allowed it."""
        self._is_probing = not self.is_available

    def answered(self) -> None:
        """Note that the server answered."""
        self.unavailable_since, self.reason, self._failures, self._is_probing = None, "", 0, False

    def failed(self, reason: str, now: float) -> None:
        """Note that the server did not answer; of messages that were under way together, only the first counts."""
        self.reason = reason
        if self.unavailable_since is None:
            self.unavailable_since = now
        elif not self._is_probing:
            return
        self._is_probing = False
        self._failures += 1
        self._next_probe = now + self.policy.probe_delay(self._failures, self.random)

    def is_over(self, waiting_since: float, now: float) -> bool:
        """Return whether a message that waits since then has waited too long for an unavailable server."""
        if self.unavailable_since is None:
            return False
        return now - max(self.unavailable_since, waiting_since) > self.policy.outage_seconds
