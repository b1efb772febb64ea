"""Declares a check, and evaluates checks: a measure that can't be taken is a result, and hides no other check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from threading import Thread

from ops.cli import message
from ops.health.scope import Scope
from ops.masking import shown

YES_OR_NO = "0 or 1"
"""Unit of a check whose question can be answered: 0 is yes, 1 is no."""
SHARE = "share"
"""Unit of a value from 0 to 1."""
SECONDS = "s"
MEGABYTES = "MB"
TIMES = "times "
"""Beginning of the unit of a value that is a multiple of another one."""


class Level(Enum):
    """Level of a result, the worst first."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WARN = "warn"
    OK = "ok"

    @property
    def severity(self) -> int:
        """Rank of the level; the worst has 0."""
        return list(Level).index(self)

    @property
    def is_failure(self) -> bool:
        """Whether the command's exit status is 1."""
        return self in {Level.FAIL, Level.UNKNOWN}


@dataclass(frozen=True)
class Reading:
    """What a check measured of one subject."""

    subject: str
    """Job, topic or service."""
    value: float
    """Measured value in the check's unit; a higher one is worse."""
    detail: str = ""
    """What is worth knowing about the value, such as the last cause of a failure; may quote records."""


@dataclass(frozen=True)
class Check:
    """One question about the deployment, with its measure, its thresholds and its remedy."""

    id: str
    question: str
    unit: str
    """`YES_OR_NO`, `SHARE`, `SECONDS`, `MEGABYTES`, `TIMES` what, or what is counted, in the plural."""
    measure: Callable[[Scope], Iterable[Reading]]
    warn: float | None
    """Value from which the result is a warning; None if it never is one."""
    fail: float | None
    """Value from which the check fails; None if it never does."""
    why: str
    """Why it matters, in a sentence or two."""
    remedy: tuple[str, ...]
    """Steps to take, the first one first; commands are in backticks."""

    def level(self, value: float) -> Level:
        """Return the level of a value."""
        if self.fail is not None and value >= self.fail:
            return Level.FAIL
        if self.warn is not None and value >= self.warn:
            return Level.WARN
        return Level.OK


@dataclass(frozen=True)
class Result:
    """What a check found of one subject."""

    check: Check
    level: Level
    subject: str = ""
    """Empty if the check could not be made, or there was nothing to measure."""
    value: float | None = None
    detail: str = ""


NOTHING = "nothing to measure"


def evaluate(check: Check, scope: Scope) -> list[Result]:
    """Return the results of one check, one for each subject; at least one."""
    try:
        readings = list(check.measure(scope))
    except Exception as error:  # noqa: BLE001 - whatever fails in one check must not hide the others
        return [Result(check, Level.UNKNOWN, detail=in_one_line(error))]
    if not readings:
        return [Result(check, Level.OK, detail=NOTHING)]
    return [
        Result(check, check.level(each.value), shown(each.subject), each.value, shown(each.detail)) for each in readings
    ]


def evaluate_all(checks: Sequence[Check], scope: Scope) -> list[Result]:
    """Return the results of all checks, the worst first, otherwise in the order of the checks.

    Within one check, higher values come first. All checks are made at the same time, so that services that don't answer
    are waited for together.
    """
    under_way = [_begun(check, scope) for check in checks]
    found = [each.result() for each in under_way]
    ranked = [(place, result) for place, results in enumerate(found) for result in results]
    ranked.sort(key=lambda each: (each[1].level.severity, each[0], -(each[1].value or 0), each[1].subject))
    return [result for _, result in ranked]


def _begun(check: Check, scope: Scope) -> Future[list[Result]]:
    """Evaluate a check in a daemon thread, so that the program can end while a service doesn't answer."""
    future: Future[list[Result]] = Future()

    def run() -> None:
        try:
            future.set_result(evaluate(check, scope))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever asks for the result
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def in_one_line(error: Exception) -> str:
    """Return the first line of the message of an error that the operator can fix, or the kind of any other error."""
    text = str(error) if type(error) is LookupError else message(error)
    if text is None:
        text = f"{type(error).__name__}: {error}; this is a fault of `ops health`: report it"
    return shown((text.splitlines() or [type(error).__name__])[0])
