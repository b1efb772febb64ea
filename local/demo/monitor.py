"""Monitors services during the demo: which are unavailable and since when, and the last figures of Flink and the search
index."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from connectors.elasticsearch.client import ElasticsearchError
from local.demo.output import report
from local.stack.supervisor import Status
from ops.jobs.flink_rest import FlinkError

SECONDS_BETWEEN_LOOKS = 1.0


class Monitor:
    """Checks services repeatedly, in its own thread, so that a hanging service blocks nothing else; a context manager.

    Args:
        status: returns the status of each service of the stack.
        readings: each reads and keeps a figure; a figure of an unavailable service stays as it was.
    """

    def __init__(self, status: Callable[[], Iterable[Status]], readings: Collection[Callable[[], None]] = ()) -> None:
        self._status, self._readings = status, readings
        self._since: dict[str, float] = {}
        self._reported: set[str] = set()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._looking: Future[None] | None = None

    def __enter__(self) -> Self:
        self._looking = self._pool.submit(self._look_until_over)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()

    @property
    def unavailable(self) -> dict[str, float]:
        """Seconds since each unavailable service became so."""
        if self._looking is not None and self._looking.done():
            self._looking.result()
        now = time.monotonic()
        return {name: now - since for name, since in self._since.copy().items()}

    def _look_until_over(self) -> None:
        while not self._over.is_set():
            self._look()
            for read in self._readings:
                try:
                    read()
                except (ElasticsearchError, FlinkError):
                    continue  # the next status check reports what is unavailable
            self._over.wait(SECONDS_BETWEEN_LOOKS)

    def _look(self) -> None:
        """Note unavailable services, and report one after two checks in a row: a busy service may miss one."""
        faults = {each.service.name: each.fault for each in self._status() if each.fault}
        now = time.monotonic()
        for name in faults.keys() & self._since.keys() - self._reported:
            self._reported.add(name)
            report(f"{name} has been unavailable for {now - self._since[name]:.0f} s: {faults[name]}")
        for name in self._reported - faults.keys():
            self._reported.remove(name)
            report(f"{name} is available again after {now - self._since[name]:.0f} s")
        self._since = {name: self._since.get(name, now) for name in faults}
