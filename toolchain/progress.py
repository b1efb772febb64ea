"""Shows the progress of a long download: a bar on a terminal, a line every few seconds in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def show_bytes(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how `total` bytes arrive while the block runs.

    Yields:
        A function to call, from any thread, with the number of bytes received; negative if some have to come again.
    """
    console = Console(highlight=False)
    if console.is_terminal:
        columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.advance(task, count)
    else:
        lines = _Lines(title, total)
        yield lines.arrived
        lines.show()


class _Lines:
    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._so_far = title, total, 0
        self._started = self._last_line = time.monotonic()
        self._lock = Lock()
        self.show()

    def arrived(self, count: int) -> None:
        with self._lock:
            self._so_far += count
            if time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
                self._last_line = time.monotonic()
                self.show()

    def show(self) -> None:
        seconds = time.monotonic() - self._started
        print(
            f"{self._title}: {self._so_far / 1e6:.1f} of {self._total / 1e6:.1f} MB after {seconds:.0f} s", flush=True
        )
