"""What may not be reflected yet limits a frontier; without limits it is complete."""

from hypothesis import given
from hypothesis import strategies as st

from ops.frontier.arithmetic import Earliest, Frontier, Limit, combined, reflected

PARTITION = Limit(1_999, 1_999, "partition 3")
MINUTE = Limit(2_500, 900, "partition 0")


def test_earliest_limit_holds_the_frontier_in_both_times() -> None:
    found = reflected([PARTITION, MINUTE], newest=9_000)

    assert found == Frontier(1_999, 900, held_by="partition 3")


def test_without_limits_all_is_reflected_up_to_the_newest_record() -> None:
    assert reflected([], newest=9_000) == Frontier(9_000, is_complete=True)
    assert reflected([], newest=None) == Frontier(None, is_complete=True)


def test_frontier_of_a_way_is_that_of_its_slowest_arrow_in_the_time_of_the_sources() -> None:
    arrows = {
        "orders → order_enrichment": Frontier(5_000, 5_000, held_by="partition 1"),
        "enriched-orders → revenue_per_minute": Frontier(7_000, 4_000, held_by="event time"),
        "payments → warehouse": Frontier(3_000, is_complete=True),
    }

    found = combined(arrows, newest=9_000)

    assert found == Frontier(4_000, 4_000, held_by="enriched-orders → revenue_per_minute: event time")


def test_way_of_complete_arrows_is_complete() -> None:
    assert combined({"a": Frontier(3_000, is_complete=True)}, newest=3_000) == Frontier(3_000, is_complete=True)


def test_way_with_an_unknown_arrow_is_unknown_and_names_it() -> None:
    arrows = {
        "a": Frontier(5_000, 5_000, held_by="partition 1"),
        "b": Frontier(unknown="no broker answers"),
        "c": Frontier(unknown="not yet", may_come=True),
    }

    found = combined(arrows, newest=9_000)

    assert found == Frontier(unknown="2 of 3 arrows are unknown; b: no broker answers")


def test_earliest_time_from_an_offset_on_counts_out_of_order_records() -> None:
    earliest = Earliest()
    for offset, time in enumerate([10, 50, 20, 40, 30]):
        earliest.add(offset, time)

    assert [earliest.since(offset) for offset in range(6)] == [10, 20, 20, 30, 30, None]


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 30)))
def test_earliest_time_is_the_minimum_after_anything_was_forgotten(times: list[int], asked: list[int]) -> None:
    earliest = Earliest()
    for number, time in enumerate(times):
        earliest.add(2 * number, time)

    for offset in sorted(asked):
        earliest.forget(offset)
        assert earliest.since(offset) == min(times[(offset + 1) // 2 :], default=None)
