"""Limits on how long a service waits for an unavailable server, and its reports meanwhile."""

import time
from collections.abc import Callable

OUTAGE_SECONDS = 900.0
"""A server may be away for so long in the middle of a run."""
START_SECONDS = 60.0
"""The same at a service's start, when a wrong address is more likely."""
SECONDS_BETWEEN_REPORTS = 1.0

Report = Callable[[str], None]


class Outage:
    """A server that is away since now.

    Args:
        server: what it is, such as `the database`.
        report: gets a line each second.
    """

    def __init__(self, server: str, report: Report) -> None:
        self._server, self._report = server, report
        self._began = self._next = time.monotonic()

    @property
    def seconds(self) -> float:
        """For how long it has been away."""
        return time.monotonic() - self._began

    def report(self) -> None:
        """Report that it is still away, once a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_REPORTS
            self._report(f"{self._server} has been away for {self.seconds:.0f} s; trying again")

    def over(self) -> None:
        """Report that it is back."""
        self._report(f"{self._server} is back after {self.seconds:.1f} s")
