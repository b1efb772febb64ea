"""A watermark counts when a later checkpoint of its attempt is complete; `test_frontier_properties.py` has the rest."""

from dataclasses import replace
from datetime import datetime

from ops.frontier.arithmetic import NotYetError
from ops.frontier.contained import Attempt, Contained, Reading
from ops.health.answers.cluster import NO_WATERMARK
from tests.builders.health import ago, offsets

FIRST = Attempt("job", ago(600), None)
SECOND = Attempt("job", ago(45), ago(46))


def reading(seconds_ago: float, watermark: int, attempt: Attempt = FIRST) -> Reading:
    return Reading(attempt, {"0": watermark + 5, "1": watermark}, {"0": f"{seconds_ago}", "1": "x"}, ago(seconds_ago))


def fresh(seconds_ago: float, watermark: int, attempt: Attempt = FIRST) -> Reading:
    """Return a reading with other ages than any other."""
    return replace(reading(seconds_ago, watermark, attempt), ages={"0": f"{seconds_ago}", "1": f"{seconds_ago}"})


def noted(contained: Contained, *readings: tuple[Reading, list[datetime]]) -> int | None:
    """Return the watermark that is found after all readings, each with the checkpoints that are complete by then."""
    for number, (each, completed) in enumerate(readings):
        contained.note(each, offsets("orders", number), completed)
    try:
        found = contained.found
    except NotYetError:
        return None
    return found.reading.watermark


def test_watermark_counts_when_a_checkpoint_that_was_triggered_later_is_complete() -> None:
    readings = [(fresh(60, 100), []), (fresh(50, 200), [ago(55)]), (fresh(40, 300), [ago(55), ago(45)])]

    contained = Contained()

    assert noted(contained, *readings[:2]) is None
    assert noted(contained, readings[2]) == 200
    assert contained.found.committed == offsets("orders", 1)


def test_first_reading_may_be_of_an_attempt_before_and_so_may_one_with_the_same_ages() -> None:
    assert noted(Contained(), (fresh(60, 100), []), (fresh(40, 100), [ago(50)])) is None
    assert noted(Contained(), *((reading(age, 100), [ago(1)]) for age in (60, 50, 40))) is None


def test_restart_before_the_checkpoint_discards_the_watermark() -> None:
    readings = [(fresh(60, 100), []), (fresh(50, 200), []), (fresh(30, 300, SECOND), [ago(40)])]

    assert noted(Contained(), *readings) is None


def test_watermark_holds_after_a_restart_until_event_time_has_come_as_far() -> None:
    contained = Contained()
    before = [(fresh(90, 100), []), (fresh(80, 200), []), (fresh(70, 300), [ago(75)])]
    after = [(fresh(40, 0, SECOND), []), (fresh(30, 150, SECOND), []), (fresh(20, 400, SECOND), [ago(25)])]

    assert noted(contained, *before) == 200
    assert noted(contained, *after) == 200
    assert noted(contained, (fresh(10, 500, SECOND), [ago(15)])) == 400


def test_task_without_a_watermark_holds_everything_back() -> None:
    readings = [(fresh(60, 100), []), (fresh(50, NO_WATERMARK), []), (fresh(40, NO_WATERMARK), [ago(45)])]

    assert noted(Contained(), *readings) is None


def test_where_late_records_wait_each_task_must_have_emitted_another_watermark() -> None:
    contained = Contained(late_waits=True)
    before = [(fresh(90, 100), []), (fresh(80, 200), []), (fresh(70, 200), [ago(75)])]

    assert noted(contained, *before) is None
    assert noted(contained, (fresh(60, 200), [ago(65)]), (fresh(50, 300), [ago(55)])) is None
    assert noted(contained, (fresh(40, 300), [ago(45)])) == 200
