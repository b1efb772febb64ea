"""Common parts of programs that run until they are stopped: the stop by a signal, and a status line."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def until_a_signal() -> Iterator[Event]:
    """Yield an event that Ctrl-C or SIGTERM sets; a second signal ends the program at once."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def set_stop(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, set_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StatusLine:
    """A line that is shown repeatedly."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stdout.isatty()

    def show(self, line: str) -> None:
        """Show the line in its current form."""
        if self._quiet:
            return
        print(f"\r\x1b[2K{line}" if self._terminal else line, end="" if self._terminal else "\n", flush=True)

    def end(self, text: str) -> None:
        """Print the last line, below the one that was rewritten."""
        if self._terminal and not self._quiet:
            print()
        if not self._quiet:
            print(text, flush=True)
