"""Asks again and again what the page shows, in the background: looking at the page causes no question.

Two threads ask: one for what changes within seconds and costs little, one for the checks. The checks cost more, so
that the time between two evaluations follows from what the last one cost.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock, Thread

from connectors.settings import Settings
from ops.frontier.observer import Observer
from ops.health.answers.brokers import Brokers
from ops.health.check import Check, evaluate_all, in_one_line
from ops.health.scope import Scope
from ops.page.live_topics import Live, LiveTopics
from ops.page.snapshot import NOTHING, Answer, Asked, Snapshot, learn, nothing_known, snapshot

CHECKS_SHARE = 0.01
"""Share of a core that evaluations of the checks may take: half of what the page may take."""
LATE = timedelta(seconds=30)
"""Time after which an evaluation that doesn't end is late: longer than services are waited for."""
LOG = logging.getLogger(__name__)


class Watcher:
    """Last answers of everything that the page shows, renewed in the background."""

    def __init__(self, settings: Settings, checks: Sequence[Check], every: float) -> None:
        """Ask nothing yet.

        Args:
            every: time between two looks at the topics in seconds; evaluations of the checks are no closer.
        """
        self.every = every
        self._settings, self._checks = settings, checks
        self._lock = Lock()
        self._answers = nothing_known([check.id for check in checks], _now(), LATE)
        self._topics = LiveTopics(settings)
        self._observer = Observer()
        self._began = (time.monotonic(), time.process_time())

    def start(self) -> None:
        """Begin to ask, until the program ends."""
        for look in (self.look_at_topics, self.evaluate):
            Thread(target=_again_and_again, args=(look,), daemon=True).start()

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        wall, cpu = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        with self._lock:
            return snapshot(self._answers, self._settings, _now(), cpu / max(wall, 1.0))

    def look_at_topics(self) -> float:
        """Renew rates and alerts, of the topics that the last evaluation has found; return the seconds until the next
        time."""
        with self._lock:
            known: Answer[Brokers] = self._answers.parts["brokers"]
        found: Live | None = None
        reason = known.reason
        if known.value.ends:
            try:
                found = self._topics.look(time.monotonic(), known.value.ends.keys())
            except Exception as error:  # noqa: BLE001 - whatever it is, the page says so, and the next look may succeed
                reason = in_one_line(error)
        with self._lock:
            before = self._answers.live
            if found:
                self._answers.live = before.renewed(found, _now(), timedelta(seconds=3 * self.every) + LATE / 3)
            elif reason:
                self._answers.live = before.failed(reason)
        return self.every

    def evaluate(self) -> float:
        """Evaluate all checks; return the seconds until the next time, so that the checks take their share of a core.

        An evaluation in which services don't answer waits, which costs nothing.
        """
        began, cpu = time.monotonic(), time.process_time()
        asked = ask(self._checks, Scope(self._settings), self._observer)
        cost, took = time.process_time() - cpu, time.monotonic() - began
        pause = pause_after(cost, took, self.every)
        LOG.debug("evaluation: %.2f s, of which %.2f s on a core; the next in %.0f s", took, cost, pause)
        with self._lock:
            learn(self._answers, asked, _now(), timedelta(seconds=pause) + LATE)
            self._answers = replace(self._answers, refresh_seconds=pause)
        return pause


def pause_after(cost: float, took: float, every: float) -> float:
    """Return the seconds until the next evaluation, so that evaluations take no more than their share of a core.

    Args:
        cost: seconds of a core that the last one used.
        took: its duration in seconds.
        every: the least time.
    """
    return max(every, cost / CHECKS_SHARE - took)


def ask(checks: Sequence[Check], scope: Scope, observer: Observer) -> Asked:
    """Evaluate checks, and get the other answers that the page needs: most of them are those that the checks got."""
    results = evaluate_all(checks, scope)
    parts, failures = {}, {}
    for name in NOTHING:
        try:
            parts[name] = observer.observe(scope) if name == "picture" else getattr(scope, name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other answers must be shown
            failures[name] = in_one_line(error)
    return Asked(results, parts, failures)


def _again_and_again(look: Callable[[], float]) -> None:
    while True:
        time.sleep(look())


def _now() -> datetime:
    return datetime.now(UTC)
