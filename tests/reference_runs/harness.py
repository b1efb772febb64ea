"""Runs a keyed Python function as Flink would, without a JVM: state by key, event-time timers, outputs.

`tests/cluster/test_harness.py` runs the same cases on a real cluster and compares.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pyflink.datastream import KeyedProcessFunction

LOWEST_WATERMARK = -(2**63)


class _State:
    """The value state of whichever key is current."""

    def __init__(self, harness: "KeyedHarness") -> None:
        self._harness = harness
        self.values: dict[Hashable, Any] = {}

    def value(self) -> Any:
        return self.values.get(self._harness.current_key)

    def update(self, value: Any) -> None:
        self.values[self._harness.current_key] = value

    def clear(self) -> None:
        self.values.pop(self._harness.current_key, None)


class _Counters:
    def __init__(self, harness: "KeyedHarness") -> None:
        self._harness = harness

    def counter(self, name: str) -> "_Counter":
        return _Counter(self._harness.counted, name)


class _Counter:
    def __init__(self, counted: Counter[str], name: str) -> None:
        self._counted, self._name = counted, name

    def inc(self, number: int = 1) -> None:
        self._counted[self._name] += number


class _RuntimeContext:
    def __init__(self, harness: "KeyedHarness") -> None:
        self._harness = harness

    def get_metrics_group(self) -> _Counters:
        return _Counters(self._harness)

    def get_state(self, descriptor: Any) -> _State:
        return self._harness.states.setdefault(descriptor.get_name(), _State(self._harness))


class _TimerService:
    def __init__(self, harness: "KeyedHarness") -> None:
        self._harness = harness

    def current_watermark(self) -> int:
        return self._harness.watermark

    def register_event_time_timer(self, timestamp: int) -> None:
        self._harness.timers.add((timestamp, self._harness.current_key))

    def delete_event_time_timer(self, timestamp: int) -> None:
        self._harness.timers.discard((timestamp, self._harness.current_key))


class _Context:
    def __init__(self, harness: "KeyedHarness", timestamp: int) -> None:
        self._harness = harness
        self._timestamp = timestamp

    def timestamp(self) -> int:
        return self._timestamp

    def timer_service(self) -> _TimerService:
        return _TimerService(self._harness)

    def get_current_key(self) -> Hashable:
        return self._harness.current_key


class KeyedHarness:
    """One `KeyedProcessFunction` on one subtask, with value states and event time."""

    def __init__(self, function: KeyedProcessFunction, key: Callable[[Any], Hashable]) -> None:
        self._function = function
        self._key = key
        self.current_key: Hashable = None
        self.watermark = LOWEST_WATERMARK
        self.states: dict[str, _State] = {}
        self.timers: set[tuple[int, Hashable]] = set()
        self.counted: Counter[str] = Counter()
        """Metrics of the function."""
        self.outputs: list[Any] = []
        function.open(_RuntimeContext(self))

    def process(self, element: Any, timestamp: int) -> list[Any]:
        """Process one element (timestamp: UTC milliseconds), and return its output."""
        self.current_key = self._key(element)
        return self._collect(self._function.process_element(element, _Context(self, timestamp)))

    def advance_watermark(self, timestamp: int) -> list[Any]:
        """Advance event time: fire the timers up to it in order, also those that they register; return the output."""
        self.watermark = max(self.watermark, timestamp)
        fired: list[Any] = []
        while due := min((timer for timer in self.timers if timer[0] <= self.watermark), default=None):
            self.timers.remove(due)
            due_at, self.current_key = due
            fired += self._collect(self._function.on_timer(due_at, _Context(self, due_at)))
        return fired

    def restore(self, stopped: "KeyedHarness") -> None:
        """Take over state and timers of a harness that stopped, as from its checkpoint; time begins anew."""
        for name, state in stopped.states.items():
            self.states[name].values = dict(state.values)
        self.timers = set(stopped.timers)

    def is_empty(self) -> bool:
        """Whether neither state nor a timer is left of any key."""
        return not self.timers and not any(state.values for state in self.states.values())

    def _collect(self, results: Iterable[Any] | None) -> list[Any]:
        produced = list(results or ())
        self.outputs += produced
        return produced
