"""The oracle that `sliding_features` is compared with, checked itself against sums done by hand."""

from collections.abc import Iterable

import pytest

from local.oracles.features import InputEvent, OutputRow, ReferenceFeatures, Value
from udfs.fraud.features import Kind, parse_declaration

COLUMNS: dict[str, Kind] = {
    "payment_id": "text",
    "amount": "integer",
    "country": "text",
    "latitude": "double",
    "longitude": "double",
    "status": "text",
}
NOTHING = dict.fromkeys(COLUMNS)
HOUR = 3_600_000


def event(time: int, payment: str | None, **columns: int | float | str) -> InputEvent:
    return InputEvent(time=time, id=payment, columns=NOTHING | {"payment_id": payment} | columns)


def answers(declaration: str, events: Iterable[InputEvent], max_events: int = 1000) -> list[OutputRow]:
    key = ReferenceFeatures(parse_declaration(declaration, COLUMNS), max_events)
    return [key.process(each) for each in events]


def values(declaration: str, *events: InputEvent) -> list[Value]:
    """Return the value of the only feature for each event."""
    return [next(iter(row.features.values())) for row in answers(declaration, events)]


def test_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    events = [event(0, "a"), event(9_999, "b"), event(10_000, "c")]

    assert values("n = count() over 10 seconds", *events) == [1, 2, 2]


def test_out_of_order_payment_counts_in_the_windows_that_contain_it() -> None:
    events = [event(5_000, "a"), event(12_000, "b"), event(6_000, "c"), event(12_000, "d")]

    assert values("n = count() over 10 seconds", *events) == [1, 2, 2, 4]


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("f = sum(amount) over 1 hour", [3, 3, 10, 12]),
        ("f = min(amount) over 1 hour", [3, 3, 3, 2]),
        ("f = max(amount) over 1 hour", [3, 3, 7, 7]),
        ("f = avg(amount) over 1 hour", [3, 3, 5, 4]),
        ("f = distinct(country) over 1 hour", [1, 1, 2, 2]),
        ("f = count() over 1 hour where country = 'FR'", [1, 1, 1, 2]),
        ("f = sum(amount) over 1 hour where country = 'DE'", [0, 0, 7, 7]),
        ("f = max(amount) over 1 hour where country = 'DE'", [None, None, 7, 7]),
        ("f = recent(payment_id, 3) over 1 hour", [["a"], ["a", "b"], ["a", "b", "c"], ["b", "c", "d"]]),
        ("f = recent(country, 2) over 1 hour", [["FR"], ["FR"], ["FR", "DE"], ["DE", "FR"]]),
        ("f = previous(country)", [None, "FR", None, "DE"]),
        ("f = previous(amount) where country = 'FR'", [None, 3, 3, 3]),
        ("f = seconds_since_previous()", [None, 1, 0, 1.5]),
    ],
)
def test_aggregates_ignore_null_and_count_matching_rows(declaration: str, expected: list[Value]) -> None:
    events = [
        event(0, "a", amount=3, country="FR"),
        event(1_000, "b"),
        event(1_000, "c", amount=7, country="DE"),
        event(2_500, "d", amount=2, country="FR"),
    ]

    assert values(declaration, *events) == expected


def test_quarter_of_the_way_around_the_earth_is_10_008_km() -> None:
    events = [event(0, "a", latitude=0, longitude=0), event(1, "b", latitude=90, longitude=0), event(2, "c")]

    first, second, third = values("f = distance_km_from_previous(latitude, longitude)", *events)

    assert (first, third) == (None, None)
    assert second == pytest.approx(6371.0088 * 3.141592653589793 / 2)


def test_duplicate_gets_its_features_without_counting_again() -> None:
    declaration = "n = count() over 1 hour, previous_country = previous(country)"
    events = [
        event(0, "a", country="FR"),
        event(1_000, "b", country="DE"),
        event(1_000, "b", country="DE"),
        event(2_000, "c"),
    ]

    rows = answers(declaration, events)

    assert [row.is_duplicate for row in rows] == [False, False, True, False]
    assert [row.features["n"] for row in rows] == [1, 2, 2, 3]
    assert rows[2].features == rows[1].features


def test_events_without_an_id_are_never_duplicates() -> None:
    rows = answers("n = count() over 1 hour", [event(0, None), event(0, None)])

    assert [(row.is_duplicate, row.features["n"]) for row in rows] == [(False, 1), (False, 2)]


def test_event_older_than_the_retention_is_late_and_not_counted() -> None:
    declaration = "n = count() over 10 seconds, s = sum(amount) over 10 seconds, m = max(amount) over 1 second"
    events = [event(20_000, "a", amount=1), event(9_999, "b", amount=1), event(10_000, "c", amount=1)]

    rows = answers(declaration, events)

    assert [row.is_late for row in rows] == [False, True, False]
    assert rows[1].features == {"n": 0, "s": 0, "m": None}
    assert rows[2].features == {"n": 1, "s": 1, "m": 1}


def test_event_after_a_gap_over_24_hours_has_no_previous_event() -> None:
    events = [event(0, "a"), event(24 * HOUR, "b"), event(48 * HOUR + 1, "c")]

    assert values("s = seconds_since_previous()", *events) == [None, 86_400, None]


def test_oldest_events_leave_first_and_rows_that_need_them_are_marked() -> None:
    events = [event(0, "a"), event(1_000, "b"), event(2_000, "c"), event(11_000, "d"), event(12_000, "e")]

    rows = answers("n = count() over 10 seconds", events, max_events=2)

    assert [(row.features["n"], row.is_truncated) for row in rows] == [
        (1, False),
        (2, False),
        (2, True),
        (2, False),
        (2, False),
    ]


def test_event_that_leaves_at_once_counts_in_its_own_windows() -> None:
    rows = answers(
        "n = count() over 10 seconds", [event(5_000, "a"), event(4_000, "b"), event(5_000, "c")], max_events=1
    )

    assert [(row.features["n"], row.is_truncated) for row in rows] == [(1, False), (1, True), (1, True)]


def test_out_of_order_row_is_marked_if_its_window_needs_dropped_events() -> None:
    events = [event(0, "a"), event(9_000, "b"), event(11_000, "c"), event(9_500, "d")]

    rows = answers("n = count() over 10 seconds", events)

    assert [(row.features["n"], row.is_truncated) for row in rows] == [(1, False), (2, False), (2, False), (2, True)]


def test_sum_too_large_for_a_bigint_is_the_largest_bigint() -> None:
    events = [event(0, "a", amount=2**63 - 1), event(1, "b", amount=2**63 - 1), event(2, "c", amount=-(2**63 - 1))]

    assert values("f = sum(amount) over 1 hour", *events) == [2**63 - 1] * 3
