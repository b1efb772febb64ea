"""Generates the payments of a run: honest visits one after another, with fraud planted among them."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random

from events import Payment
from local.simulator.outgoing import GOOD, LATE, Planned
from local.simulator.payments.drafts import Draft
from local.simulator.payments.fraud_patterns import PATTERNS, Pattern
from local.simulator.payments.honest_customers import Customers
from local.simulator.world.places import DAY_MS, HOUR_MS
from local.simulator.world.population import Population
from local.simulator.world.timetable import Timetable

PLANTED_WHEN_MISSING = 4
"""Number of fraud payments missing from the share at which an incident begins."""
ROOM_AT_THE_END = 45
"""Seconds (at most half of the run) before the end in which no incident begins: incidents need time."""
TRY_AGAIN_MS = 1_000
"""Wait before the next try when no card suits any pattern."""

LEAST_LATENESS_MS = 10_000
"""Minimum lateness beyond the limit within which records may be out of order."""
MOST_LATENESS_MS = 30 * 60_000
BEYOND_A_DAY_EVERY = 4
"""One in this many late payments is more than a day late."""
BEYOND_A_DAY_MS = (DAY_MS + HOUR_MS, DAY_MS + 12 * HOUR_MS)


class Traffic:
    """The payments of one run, in order of time; exactly as many as its timetable has moments, and the history."""

    def __init__(
        self,
        timetable: Timetable,
        population: Population,
        *,
        cards: int,
        fraud_share: float,
        late: float,
        bound_ms: int,
    ) -> None:
        self._timetable, self._fraud_share, self._late, self._bound_ms = timetable, fraud_share, late, bound_ms
        self._population = population
        self._random = Random(f"{timetable.seed}/traffic")
        self._customers = Customers(population, cards, Random(f"{timetable.seed}/customers"))
        self._scheduled: list[tuple[int, int, Draft, tuple[str, str] | None]] = []
        self._sequence, self._numbers, self._incidents = count(), count(1), count(1)
        self._owed = 0
        self._planted, self._not_before_ms = 0, 0
        self._queue: list[Pattern] = []
        self._late_payments = self._late_owed = 0

    def planned(self, history_hours: float) -> Iterator[Planned]:
        """Yield the history (the regular cards' honest payments during the hours before the run), then the run."""
        yield from self._history(history_hours)
        moments = self._timetable.moments(Random(f"{self._timetable.seed}/moments"))
        for index, at_ms in enumerate(moments):
            yield from self._due(at_ms)
            left = self._timetable.moments_in_all - index
            self._perhaps_plant(at_ms, index, left)
            if self._owed:
                self._owed -= 1
            else:
                yield self._late_payment(at_ms) or self._visit(at_ms, left)
        yield from self._due(inf)

    def _history(self, hours: float) -> Iterator[Planned]:
        start_ms = self._timetable.start_ms
        if not hours:
            return
        for at_ms, number in self._customers.history(start_ms - round(hours * HOUR_MS), start_ms):
            yield from self._due(at_ms)
            for draft in self._customers.visit(at_ms, number):
                self._schedule(draft)

    def _visit(self, at_ms: int, left: float) -> Planned:
        first, *more = self._customers.visit(at_ms)
        for draft in more:
            if draft.at_ms <= self._timetable.end_ms and self._owed + 1 < left:
                self._schedule(draft)
                self._owed += 1
        return self._numbered(first)

    def _late_payment(self, at_ms: int) -> Planned | None:
        self._late_owed += self._random.random() < self._late
        if not self._late_owed:
            return None
        beyond_a_day = self._late_payments % BEYOND_A_DAY_EVERY == 0
        lateness = BEYOND_A_DAY_MS if beyond_a_day else (self._bound_ms + LEAST_LATENESS_MS, MOST_LATENESS_MS)
        earlier_ms = self._random.randint(*lateness)
        draft = self._customers.late_payment(at_ms, earlier_ms, earlier_ms if beyond_a_day else 0)
        if draft is None:
            return None
        self._late_payments += 1
        self._late_owed -= 1
        return Planned(self._payment(draft), at_ms, LATE)

    def _perhaps_plant(self, at_ms: int, index: int, left: float) -> None:
        missing = self._fraud_share * self._payments_provided_for(index) - self._planted
        if missing < PLANTED_WHEN_MISSING or at_ms < self._not_before_ms:
            return
        self._queue = self._queue or list(PATTERNS)
        in_turn = sorted(self._random.sample(PATTERNS, len(PATTERNS)), key=lambda pattern: pattern not in self._queue)
        if not any(self._plant(pattern, at_ms, left - self._owed) for pattern in in_turn):
            self._not_before_ms = at_ms + TRY_AGAIN_MS

    def _payments_provided_for(self, index: int) -> float:
        """Return for how many payments fraud should have begun by that moment of the run."""
        seconds, in_all = self._timetable.seconds, self._timetable.moments_in_all
        if not seconds:
            return index + 1
        usable = max(0.5, 1 - ROOM_AT_THE_END / seconds)
        return min(in_all, (index + 1) / usable)

    def _plant(self, pattern: Pattern, at_ms: int, left: float) -> bool:
        room_ms = self._timetable.end_ms - at_ms
        victim = self._customers.victim(at_ms, pattern.needs_history) if room_ms >= pattern.shortest_ms else None
        if victim is None:
            return False
        drafts = pattern.generate(self._random, self._population, victim, at_ms, int(min(room_ms, DAY_MS)))
        if len(drafts) > left:
            return False
        label = (pattern.name, f"incident-{self._timetable.run}-{next(self._incidents):04d}")
        for draft in drafts:
            self._schedule(draft, label)
        self._customers.block(victim, drafts[-1].at_ms)
        self._owed += len(drafts)
        self._planted += len(drafts)
        if pattern in self._queue:
            self._queue.remove(pattern)
        return True

    def _schedule(self, draft: Draft, label: tuple[str, str] | None = None) -> None:
        heappush(self._scheduled, (draft.at_ms, next(self._sequence), draft, label))

    def _due(self, until_ms: float) -> Iterator[Planned]:
        while self._scheduled and self._scheduled[0][0] <= until_ms:
            _, _, draft, label = heappop(self._scheduled)
            yield self._numbered(draft, label)

    def _numbered(self, draft: Draft, label: tuple[str, str] | None = None) -> Planned:
        pattern, incident_id = label or (None, None)
        return Planned(self._payment(draft), draft.at_ms, GOOD, pattern, incident_id)

    def _payment(self, draft: Draft) -> Payment:
        return draft.numbered(f"payment-{self._timetable.run}-{next(self._numbers):07d}")
