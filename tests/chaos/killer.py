"""Kills services of a running stack by a schedule, and starts each again."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.outage import Report
from local.stack.services import elasticsearch
from local.stack.starting import StackError, bring_up
from local.stack.supervisor import Stack
from tests.chaos.schedule import Kill
from tests.services.lone_elasticsearch import kill_node

POLL_SECONDS = 1.0
STARTS = 2
"""Maximum number of starts: Connect stops by itself if a service that it needs is killed meanwhile."""


@dataclass
class Killer:
    """The kills of one run, and their outcomes."""

    stack: Stack
    kills: Sequence[Kill]
    report: Report
    healthy_within_seconds: float = 120.0
    """Time limit for all services to be healthy after the last restart; some only notice that another is back."""
    done: list[Kill] = field(default_factory=list)
    """The kills that hit a running service."""
    killed_at: list[datetime] = field(default_factory=list)
    """Time of each kill in `done`."""
    faults: list[str] = field(default_factory=list)
    """Services that stopped without a kill or didn't come back, in words."""
    _over: threading.Event = field(default_factory=threading.Event)
    _returning: dict[str, Future[None]] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kill while the block runs; after it no service is killed any more, and all are back or named in `faults`."""
        self._started = time.monotonic()
        with ThreadPoolExecutor(1 + len(self.kills)) as pool:  # one start waits for another
            killing = pool.submit(self._kill_all, pool)
            try:
                yield
            finally:
                self._over.set()
                killing.result()
                for returning in self._returning.values():
                    returning.result()
        self._wait_until_healthy()

    def _kill_all(self, pool: ThreadPoolExecutor) -> None:
        for kill in self.kills:
            if self._over.wait(self._started + kill.at - time.monotonic()):
                return
            returning = self._returning.get(kill.service)
            if returning and not returning.done():
                self._report(f"{kill.service} is still unavailable, so it is spared")
                continue
            self._strike(kill)
            self._returning[kill.service] = pool.submit(self._bring_back, kill)

    def _strike(self, kill: Kill) -> None:
        killed_at = datetime.now(UTC)
        try:
            strike(self.stack, kill.service)
        except StackError as error:
            self.faults.append(f"{kill.service} has ended by itself before it was killed: {error}")
            return
        self._report(f"killed {kill.service}, for {kill.unavailable_seconds:.1f} s and its start")
        self.done.append(kill)
        self.killed_at.append(killed_at)

    def _bring_back(self, kill: Kill) -> None:
        killed = time.monotonic()
        self._over.wait(kill.unavailable_seconds)
        service = self.stack.service(kill.service)
        for attempt in range(1, STARTS + 1):
            for needed in self._returning.keys() & set(service.after):
                self._returning[needed].result()
            try:
                # Not `Stack.start`, which also waits for what needs the service: Connect would keep Kafka unavailable.
                bring_up(service, lambda _: None, threading.Event())
                break
            except StackError as error:
                if attempt == STARTS:
                    self.faults.append(f"{kill.service} was killed and could not be started again: {error}")
                    return
        self._report(f"{kill.service} is back after {time.monotonic() - killed:.1f} s")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + self.healthy_within_seconds
        while faults := [f"{each.service.name} {each.fault}" for each in self.stack.status() if each.fault]:
            if time.monotonic() > deadline:
                self.faults += faults
                return
            time.sleep(POLL_SECONDS)

    def _report(self, text: str) -> None:
        self.report(f"chaos: {time.monotonic() - self._started:5.1f} s: {text}")


def strike(stack: Stack, service: str) -> None:
    """End a service at once, as a crash would.

    Raises:
        StackError: it doesn't run.
    """
    if service == elasticsearch.NAME:
        kill_node(stack)
    else:
        stack.kill(service)
