"""Features that `sliding_features` must compute, written from its specification, to be read; slow on purpose.

Of each key it keeps events that are not older than the newest one minus the retention, and at most `max_events`:

- An event that is older than that when it arrives is *late*: it is not kept, and its features are those of nothing.
- An event with the id of a kept one is a *duplicate*: it is not kept, and its features are computed over what is.
- Any other event is kept. Then events leave, the oldest first and of two with one time the first to arrive, until
  none is too old and none too many. The event itself counts in its own windows even if it is the one that leaves.

A window of length W of an event at t has the kept events in (t - W, t]. `previous` is the latest other kept event
that is not later than t, of two with one time the last to arrive.

A row *is truncated* if an event has left that is later than what one of its features looks back to: the start of its
window, the previous event that it found, or, if it found none, the end of the retention.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

LONGEST_WINDOW_MS = 24 * 3_600_000
"""How far features that use the previous event look back."""
EARTH_RADIUS_KM = 6371.0088

Value = int | float | str | list[str] | None


class Where(Protocol):
    """Condition of a feature: only events whose `column` equals `value` count."""

    @property
    def column(self) -> str: ...

    @property
    def value(self) -> str: ...


class Feature(Protocol):
    """One declared feature."""

    @property
    def name(self) -> str: ...

    @property
    def aggregate(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def window_ms(self) -> int | None:
        """Length of the sliding window; None for the aggregates that use the previous event."""

    @property
    def where(self) -> Where | None: ...

    @property
    def limit(self) -> int | None:
        """Maximum number of values that `recent` keeps."""


@dataclass(frozen=True, eq=False)
class InputEvent:
    """One row of the input; events are distinguished by identity."""

    time: int
    """Event time, milliseconds."""
    id: str | None
    columns: Mapping[str, int | float | str | None]


@dataclass(frozen=True)
class OutputRow:
    """Columns that the function adds to a row."""

    features: dict[str, Value]
    is_duplicate: bool
    is_late: bool
    is_truncated: bool


class ReferenceFeatures:
    """The events of one key, given in the order of their arrival."""

    def __init__(self, features: Sequence[Feature], max_events: int = 1000) -> None:
        self._features = features
        self._max_events = max_events
        self._retention_ms = max(feature.window_ms or LONGEST_WINDOW_MS for feature in features)
        self._kept: list[InputEvent] = []  # in the order of arrival
        self._left_until: float = -math.inf

    def process(self, event: InputEvent) -> OutputRow:
        """Return the features of the next event."""
        original = next((kept for kept in self._kept if kept.id is not None and kept.id == event.id), None)
        is_late = any(event.time < kept.time - self._retention_ms for kept in self._kept)
        if is_late:
            nothing = {feature.name: self._value(feature, [], event, event) for feature in self._features}
            return OutputRow(nothing, original is not None, is_late=True, is_truncated=False)
        if original is None:
            self._keep(event)
        visible = self._kept if original or event in self._kept else [*self._kept, event]
        not_later = sorted((kept for kept in visible if kept.time <= event.time), key=lambda kept: kept.time)
        itself = original or event
        return OutputRow(
            {feature.name: self._value(feature, not_later, event, itself) for feature in self._features},
            is_duplicate=original is not None,
            is_late=False,
            is_truncated=any(
                self._left_until > self._looks_back_to(feature, not_later, event, itself) for feature in self._features
            ),
        )

    def _keep(self, event: InputEvent) -> None:
        self._kept.append(event)
        newest = max(kept.time for kept in self._kept)
        while True:
            oldest = min(self._kept, key=lambda kept: kept.time)
            if oldest.time >= newest - self._retention_ms and len(self._kept) <= self._max_events:
                return
            self._kept.remove(oldest)
            self._left_until = max(self._left_until, oldest.time)

    def _value(self, feature: Feature, not_later: list[InputEvent], event: InputEvent, itself: InputEvent) -> Value:
        if feature.window_ms is None:
            previous = _previous(feature, not_later, itself)
            return None if previous is None else _PREVIOUS[feature.aggregate](feature, previous, event)
        window = [kept for kept in not_later if kept.time > event.time - feature.window_ms and _is(feature.where, kept)]
        if feature.aggregate == "count":
            return len(window)
        values = [kept.columns[feature.columns[0]] for kept in window]
        return _WINDOWED[feature.aggregate](feature, [value for value in values if value is not None])

    def _looks_back_to(
        self, feature: Feature, not_later: list[InputEvent], event: InputEvent, itself: InputEvent
    ) -> int:
        if feature.window_ms is not None:
            return event.time - feature.window_ms
        previous = _previous(feature, not_later, itself)
        return event.time - self._retention_ms - 1 if previous is None else previous.time


def _is(where: Where | None, event: InputEvent) -> bool:
    return where is None or event.columns[where.column] == where.value


def _previous(feature: Feature, not_later: list[InputEvent], itself: InputEvent) -> InputEvent | None:
    others = [event for event in not_later if event is not itself and _is(feature.where, event)]
    return others[-1] if others else None


def _sum(_: Feature, values: list[Any]) -> Value:
    """A sum of integers that doesn't fit a BIGINT is the nearest that does."""
    total = sum(values)
    return max(-(2**63), min(2**63 - 1, total)) if isinstance(total, int) else total


def _distance_km(feature: Feature, previous: InputEvent, event: InputEvent) -> float | None:
    """Haversine."""
    degrees: list[Any] = [place.columns[column] for place in (previous, event) for column in feature.columns]
    if None in degrees:
        return None
    latitude_1, longitude_1, latitude_2, longitude_2 = map(math.radians, degrees)
    north = math.sin((latitude_2 - latitude_1) / 2) ** 2
    east = math.sin((longitude_2 - longitude_1) / 2) ** 2
    haversine = north + math.cos(latitude_1) * math.cos(latitude_2) * east
    return 2 * EARTH_RADIUS_KM * math.asin(min(1, math.sqrt(haversine)))


_WINDOWED: dict[str, Callable[[Feature, list[Any]], Value]] = {
    "sum": _sum,
    "min": lambda _, values: min(values, default=None),
    "max": lambda _, values: max(values, default=None),
    "avg": lambda _, values: sum(values) / len(values) if values else None,
    "distinct": lambda _, values: len(set(values)),
    "recent": lambda feature, values: values[-(feature.limit or 0) :],
}
_PREVIOUS: dict[str, Callable[[Feature, InputEvent, InputEvent], Value]] = {
    "previous": lambda feature, previous, _: previous.columns[feature.columns[0]],
    "seconds_since_previous": lambda _, previous, event: (event.time - previous.time) / 1000,
    "distance_km_from_previous": _distance_km,
}
