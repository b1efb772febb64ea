"""How do rules get into the JVM's filter? Each version's program is handed over before anything is judged by it."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Protocol

import pemja

from udfs.fraud.rules import Rules

log = logging.getLogger(__name__)


class Filters(Protocol):
    """The filters of a JVM: `millrace.rules.Filters`. A follower is a number that `open` gives."""

    def open(self, filter_id: str) -> int: ...

    def put(self, filter_id: str, follower: int, effective_from: int, version: int, program: str) -> None: ...

    def ready(self, filter_id: str, follower: int) -> None: ...

    def failed(self, filter_id: str, follower: int) -> None: ...

    def isFollowed(self, filter_id: str, follower: int) -> bool: ...  # noqa: N802 - as Java has it

    def close(self, filter_id: str, follower: int) -> None: ...


class FilterFeed:
    """Tells a job's filter what one function that judges payments knows. Without a JVM there is nobody to tell."""

    def __init__(self, filters: Filters | None, filter_id: str) -> None:
        """Begin; the filter holds nothing back until `ready`."""
        self._filters = filters
        self._filter_id = filter_id
        self._follower = filters.open(filter_id) if filters else 0

    def hand_over(self, rules: Rules) -> None:
        """A version that is going to be judged by."""
        if self._filters:
            self._filters.put(
                self._filter_id,
                self._follower,
                rules.ruleset.effective_from,
                rules.ruleset.version,
                rules.filter_program,
            )

    def ready(self) -> None:
        """All versions that there are were handed over, and new ones will be."""
        if self._filters:
            self._filters.ready(self._filter_id, self._follower)

    def failed(self) -> None:
        """New versions can't be seen any more: each payment has to come here from now on."""
        if self._filters:
            self._filters.failed(self._filter_id, self._follower)

    def is_wanted(self) -> bool:
        """Whether the task may still run: Flink says so to the JVM's functions alone when it is cancelled or fails."""
        return self._filters is None or self._filters.isFollowed(self._filter_id, self._follower)

    def close(self) -> None:
        """End; may be called again."""
        if self._filters:
            self._filters.close(self._filter_id, self._follower)
            self._filters = None


class _FiltersInJvm:
    """Calls Java from one thread that never ends: pemja attaches a thread that calls, and never detaches it."""

    def __init__(self, java_class: Any) -> None:
        self._caller = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rule-filters")
        self._java_class = java_class

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._java_class, name))

    def _call(self, method: Callable[..., Any], *arguments: object) -> Any:
        return self._caller.submit(method, *arguments).result()


@cache
def filters_of_this_jvm() -> Filters | None:
    """The filters of the JVM that this interpreter is embedded in, as in thread mode; None if it runs by itself.

    Must be called in a thread of the JVM's own, such as a task's.
    """
    find_class = getattr(pemja, "findClass", None)
    if find_class is None:
        log.info("Python runs outside the JVM: every payment is handed to it")
        return None
    return _FiltersInJvm(find_class("millrace.rules.Filters"))
