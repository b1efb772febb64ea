"""Limits on how long a program waits for an unavailable server, and its reports meanwhile."""

import sys
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

OUTAGE_SECONDS = 900.0
"""Maximum outage of a server in seconds, both at a service's start and during its run."""
SECONDS_BETWEEN_REPORTS = 1.0
RETRY_SECONDS = 0.25

Report = Callable[[str], None]

_ResultT = TypeVar("_ResultT")


def report_on_stderr(text: str) -> None:
    """Report to the operator who runs a command, separate from its output."""
    print(text, file=sys.stderr, flush=True)


class Outage:
    """A server that has been unavailable since the creation of this object.

    Args:
        server: description, such as `the database`.
        report: gets a line each second.
        after_seconds: an outage that is shorter isn't reported.
    """

    def __init__(self, server: str, report: Report, after_seconds: float = 0.0) -> None:
        self._server, self._report = server, report
        self._began = time.monotonic()
        self._next = self._began + after_seconds
        self._is_reported = False

    @property
    def seconds(self) -> float:
        """Duration of the outage so far."""
        return time.monotonic() - self._began

    def report(self) -> None:
        """Report that the server is still unavailable, once a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_REPORTS
            self._is_reported = True
            self._report(f"{self._server} has been unavailable for {self.seconds:.0f} s; trying again")

    def over(self) -> None:
        """Report that the server is available again, if its outage was reported."""
        if self._is_reported:
            self._report(f"{self._server} is back after {self.seconds:.1f} s")


def await_server(
    server: str,
    use: Callable[[], _ResultT],
    unavailable: type[Exception],
    report: Report,
    stop: Event | None = None,
    *,
    limit_seconds: float = OUTAGE_SECONDS,
) -> _ResultT:
    """Return what `use` returns, as soon as the server is available.

    Args:
        server: description, such as `the database`.
        unavailable: what `use` raises while the server is unavailable; it is called again then.
        report: gets a line each second while the server is unavailable.

    Raises:
        Exception: `unavailable`, when the server has been unavailable for `limit_seconds`, or when `stop` is set.
    """
    stop = stop or Event()
    outage: Outage | None = None
    while True:
        try:
            result = use()
        except unavailable:
            outage = outage or Outage(server, report)
            if outage.seconds > limit_seconds or stop.is_set():
                raise
            outage.report()
            stop.wait(RETRY_SECONDS)
        else:
            if outage:
                outage.over()
            return result
