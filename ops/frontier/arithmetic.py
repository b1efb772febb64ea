"""Arithmetic of completion frontiers, over given offsets, timestamps and watermarks.

A frontier is the greatest event time F for which this is known: each record with an event time up to F is fully
reflected. What may not be reflected yet limits it: unread records, open transactions, results that wait for event time.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class UnknownError(Exception):
    """A frontier can't be known; the text has the reason."""


class NotYetError(UnknownError):
    """A frontier may be known in a few seconds."""


@dataclass(frozen=True)
class Limit:
    """Something that may not be reflected yet: what is later than these times."""

    up_to: int
    """Event time of the arrow's topic, in UTC milliseconds."""
    source_up_to: int
    """The same in event time of the records at the sources."""
    held_by: str
    """What it is."""


@dataclass(frozen=True)
class Frontier:
    """Event time up to which each record is fully reflected."""

    up_to: int | None = None
    """UTC milliseconds; None if it is unknown, or if there are no records."""
    source_up_to: int | None = None
    """The same in event time of the records at the sources; None if it is unknown, or if all is reflected."""
    is_complete: bool = False
    """Whether each record that exists is reflected; `up_to` is then the newest event time."""
    held_by: str = ""
    """What limits it."""
    unknown: str = ""
    """Why it is unknown."""
    may_come: bool = False
    """Whether it may be known in a few seconds."""


def reflected(limits: Sequence[Limit], newest: int | None) -> Frontier:
    """Return the frontier within all limits.

    Args:
        newest: newest event time of a record; None if there is none.
    """
    if not limits:
        return Frontier(newest, is_complete=True)
    first = min(limits, key=lambda each: each.up_to)
    return Frontier(first.up_to, min(each.source_up_to for each in limits), held_by=first.held_by)


def combined(frontiers: Mapping[str, Frontier], newest: int | None) -> Frontier:
    """Return the frontier of all ways from the sources, in event time of the sources.

    Args:
        frontiers: those of all arrows on these ways, by name.
        newest: newest event time of a record at a source that they begin at.
    """
    if unknown := {name: each for name, each in frontiers.items() if each.unknown}:
        name, first = next(iter(unknown.items()))
        reason = f"{len(unknown)} of {len(frontiers)} arrows are unknown; {name}: {first.unknown}"
        return Frontier(unknown=reason, may_come=all(each.may_come for each in unknown.values()))
    limits = [
        Limit(each.source_up_to, each.source_up_to, f"{name}: {each.held_by}")
        for name, each in frontiers.items()
        if each.source_up_to is not None
    ]
    return reflected(limits, newest)


class Earliest:
    """Earliest time among the records of a partition from any offset on.

    Keeps only records that are earlier than all after them.
    """

    def __init__(self) -> None:
        self._offsets: list[int] = []
        self._times: list[int] = []

    def add(self, offset: int, time: int) -> None:
        """Add a record; those of a partition in the order of their offsets."""
        while self._times and self._times[-1] >= time:
            self._offsets.pop()
            self._times.pop()
        self._offsets.append(offset)
        self._times.append(time)

    def since(self, offset: int) -> int | None:
        """Return the earliest time from an offset on; None if there is no record."""
        place = bisect_left(self._offsets, offset)
        return self._times[place] if place < len(self._times) else None

    def forget(self, offset: int) -> None:
        """Forget the records before an offset."""
        place = bisect_left(self._offsets, offset)
        del self._offsets[:place], self._times[:place]
