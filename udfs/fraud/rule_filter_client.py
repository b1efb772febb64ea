"""Client of the JVM's rule filter: passes it each version's program before a payment is judged by that version."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Protocol

import pemja

from udfs.fraud.rules import Rules

log = logging.getLogger(__name__)


class Filters(Protocol):
    """Filters of a JVM: `millrace.rules.Filters`. A follower is a number that `open` returns."""

    def open(self, filter_id: str) -> int: ...

    def put(self, filter_id: str, follower: int, effective_from: int, version: int, program: str) -> None: ...

    def ready(self, filter_id: str, follower: int) -> None: ...

    def failed(self, filter_id: str, follower: int) -> None: ...

    def isFollowed(self, filter_id: str, follower: int) -> bool: ...  # noqa: N802 - as Java has it

    def close(self, filter_id: str, follower: int) -> None: ...


class RuleFilterClient:
    """Reports to a job's filter which versions one judging function knows. Does nothing without a JVM."""

    def __init__(self, filters: Filters | None, filter_id: str) -> None:
        """Register with the filter, which passes every payment until `ready`."""
        self._filters = filters
        self._filter_id = filter_id
        self._follower = filters.open(filter_id) if filters else 0

    def hand_over(self, rules: Rules) -> None:
        """Pass on a version before payments are judged by it."""
        if self._filters:
            self._filters.put(
                self._filter_id,
                self._follower,
                rules.ruleset.effective_from,
                rules.ruleset.version,
                rules.filter_program,
            )

    def ready(self) -> None:
        """Report that all existing versions were passed on, and that new ones will be."""
        if self._filters:
            self._filters.ready(self._filter_id, self._follower)

    def failed(self) -> None:
        """Report that new versions can't be read any more: the filter must pass every payment from now on."""
        if self._filters:
            self._filters.failed(self._filter_id, self._follower)

    def is_wanted(self) -> bool:
        """Return whether the task may still run: on cancellation or failure, Flink notifies the JVM's functions
        only."""
        return self._filters is None or self._filters.isFollowed(self._filter_id, self._follower)

    def close(self) -> None:
        """End the registration; may be called again."""
        if self._filters:
            self._filters.close(self._filter_id, self._follower)
            self._filters = None


class _FiltersInJvm:
    """Calls Java from one thread that never ends: pemja attaches a calling thread and never detaches it."""

    def __init__(self, java_class: Any) -> None:
        self._caller = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rule-filters")
        self._java_class = java_class

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._java_class, name))

    def _call(self, method: Callable[..., Any], *arguments: object) -> Any:
        return self._caller.submit(method, *arguments).result()


@cache
def filters_of_this_jvm() -> Filters | None:
    """Return the filters of the JVM that this interpreter is embedded in (thread mode); None if it runs by itself.

    Call it in a thread of the JVM's own, such as a task's.
    """
    find_class = getattr(pemja, "findClass", None)
    if find_class is None:
        log.info("Python runs outside the JVM: it judges every payment, without a filter")
        return None
    return _FiltersInJvm(find_class("millrace.rules.Filters"))
