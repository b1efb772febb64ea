"""A case that fails shows what is missing and what is too much, below each other."""

from tests.builders.events import event_time
from tests.builders.pipeline_cases import difference


def test_only_the_named_columns_of_a_row_are_compared() -> None:
    expected = [{"country": "DE"}, {"country": "FR", "payments": 2}]

    assert difference(expected, [{"country": "FR", "payments": 2}, {"country": "DE", "payments": 1}]) == ""


def test_rows_that_differ_are_shown_among_all_and_aligned() -> None:
    expected = [{"country": "DE", "payments": 1}, {"country": "FR", "payments": 10}]
    actual = [{"country": "DE", "payments": 1}, {"country": "FR", "payments": 2}]

    assert difference(expected, actual).splitlines() == [
        "   country  payments",
        "   DE       1",
        "-  FR       10",
        "+  FR       2",
    ]


def test_repeated_row_is_one_too_many() -> None:
    assert difference([{"a": 1}], [{"a": 1}, {"a": 1}]).splitlines()[1:] == ["   1", "+  1"]


def test_any_row_is_too_many_if_none_is_expected() -> None:
    assert difference([], [{"a": 1, "b": None}]).splitlines() == ["   a  b", "+  1  null"]


def test_milliseconds_are_shown_as_times_of_the_case_format() -> None:
    expected = [{"at": "12:00:00"}]

    assert difference(expected, [{"at": event_time("12:00:00")}]) == ""
    assert difference(expected, [{"at": event_time("12:00:00.001")}]).splitlines()[1:] == [
        "-  12:00:00",
        "+  12:00:00.001",
    ]
