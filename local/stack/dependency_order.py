"""Runs actions at the same time, except those that depend on each other."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait


class GivenUpError(Exception):
    """Waiting is pointless: another action has failed, or the caller has stopped."""


def run_in_dependency_order(
    names: Sequence[str],
    before: Mapping[str, Collection[str]],
    act: Callable[[str, threading.Event], None],
) -> None:
    """Act on each name in a thread of its own, once those before it are done; what comes after a failure is left out.

    Args:
        names: each later than those before it.
        before: by name, those that must be done first; names that aren't in `names` don't count.
        act: also gets an event that requests to give up, on which it raises `GivenUpError`.

    Raises:
        The first failure; all threads have ended then.
    """
    give_up = threading.Event()
    done: dict[str, Future[None]] = {}

    def after_others(name: str, others: Sequence[Future[None]]) -> None:
        if all(other.exception() is None for other in others):
            act(name, give_up)

    with ThreadPoolExecutor(max(1, len(names))) as pool:
        try:
            for name in names:
                others = [done[other] for other in before[name] if other in done]
                done[name] = pool.submit(after_others, name, others)
            wait(done.values(), return_when=FIRST_EXCEPTION)
        finally:
            give_up.set()
    failures = [failure for future in done.values() if (failure := future.exception())]
    if failures:
        raise next((failure for failure in failures if not isinstance(failure, GivenUpError)), failures[0])
