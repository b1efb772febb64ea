"""Checks have levels by their thresholds; one that cannot be made is unknown, and hides no other."""

from collections.abc import Iterable, Iterator

import pytest

from ops.health.check import NOTHING, SECONDS, Check, Level, Reading, evaluate, evaluate_all
from ops.health.scope import Asked, Scope
from ops.jobs.flink_rest import FlinkUnavailableError
from tests.builders.health import scope


def check(id_: str = "lag", *readings: Reading, warn: float | None = 10, fail: float | None = 20) -> Check:
    """Return a check that measures these readings."""
    return Check(id_, "Is it late?", SECONDS, lambda _: readings, warn, fail, "It is late.", ("Hurry.",))


def failing(error: Exception, id_: str = "dead") -> Check:
    """Return a check whose measure fails after its first reading."""

    def measure(_: Scope) -> Iterator[Reading]:
        yield Reading("first", 0)
        raise error

    return Check(id_, "Does it answer?", SECONDS, measure, 1, 2, "It matters.", ("Start it.",))


@pytest.mark.parametrize(
    ("value", "level"),
    [(0, Level.OK), (9.9, Level.OK), (10, Level.WARN), (19.9, Level.WARN), (20, Level.FAIL), (1e9, Level.FAIL)],
)
def test_value_that_reaches_a_threshold_has_its_level(value: float, level: Level) -> None:
    assert check().level(value) is level


@pytest.mark.parametrize(
    ("warn", "fail", "level"), [(10, None, Level.WARN), (None, 20, Level.FAIL), (None, None, Level.OK)]
)
def test_missing_threshold_is_never_reached(warn: float | None, fail: float | None, level: Level) -> None:
    assert check(warn=warn, fail=fail).level(1e9) is level


def test_each_reading_is_a_result() -> None:
    results = evaluate(check("lag", Reading("a", 3), Reading("b", 30, "so late")), scope())

    assert [(each.subject, each.value, each.level, each.detail) for each in results] == [
        ("a", 3, Level.OK, ""),
        ("b", 30, Level.FAIL, "so late"),
    ]


def test_check_with_nothing_to_measure_is_well() -> None:
    [result] = evaluate(check(), scope())

    assert (result.level, result.value, result.detail) == (Level.OK, None, NOTHING)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (FlinkUnavailableError("no Flink answers\nat all"), "no Flink answers"),
        (LookupError("there is no topic 'x'"), "there is no topic 'x'"),
        (KeyError("timestamps"), "KeyError: 'timestamps'; this is a fault of `ops health`: report it"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_measure_that_fails_is_unknown_with_one_line(error: Exception, detail: str) -> None:
    [result] = evaluate(failing(error), scope())

    assert (result.level, result.value, result.detail) == (Level.UNKNOWN, None, detail)


def test_secret_and_control_characters_in_a_detail_are_masked() -> None:
    [result] = evaluate(check("lag", Reading("a", 30, "password=hunter2 \x1b[2J")), scope())

    assert result.detail == "password=••• \\x1b[2J"


def test_results_are_the_worst_first_then_in_the_order_of_the_checks() -> None:
    checks = [
        check("one", Reading("ok", 1), Reading("warned", 12)),
        failing(ConnectionError("no answer"), "two"),
        check("three", Reading("failed", 25), Reading("failed more", 99), Reading("ok", 0)),
    ]

    results = evaluate_all(checks, scope())

    assert [(each.check.id, each.subject) for each in results] == [
        ("three", "failed more"),
        ("three", "failed"),
        ("two", ""),
        ("one", "warned"),
        ("one", "ok"),
        ("three", "ok"),
    ]


class Counted(Scope):
    """A scope that counts how often its service is asked."""

    asked = 0

    @Asked
    def service(self) -> str:
        """Answer."""
        self.asked += 1
        return "answer"

    @Asked
    def silent(self) -> str:
        """No answer."""
        self.asked += 1
        raise ConnectionError("no answer")


def test_service_is_asked_once_by_all_checks() -> None:
    counted = Counted(scope().settings)

    def measure(asking: Scope) -> Iterable[Reading]:
        assert isinstance(asking, Counted)
        return [Reading(asking.service, 0)]

    checks = [Check(str(n), "?", SECONDS, measure, 1, 2, "why", ("what",)) for n in range(20)]

    assert {each.subject for each in evaluate_all(checks, counted)} == {"answer"}
    assert counted.asked == 1


def test_silent_service_is_asked_once_and_every_check_has_its_error() -> None:
    counted = Counted(scope().settings)

    for _ in range(3):
        with pytest.raises(ConnectionError, match="no answer"):
            _ = counted.silent

    assert counted.asked == 1


def test_answer_that_is_known_is_not_asked_for() -> None:
    counted = Counted(scope().settings, known={"service": "known"})

    assert (counted.service, counted.asked) == ("known", 0)
