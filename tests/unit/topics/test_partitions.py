"""Recommended partition counts, with numbers for mental arithmetic."""

import pytest

from ops.topics.partitions import Load, recommend


def load(rate: float = 1000, consumer: float = 1000, average_bytes: float = 100, **more: float | None) -> Load:
    return Load(rate, average_bytes, consumer, **more)  # type: ignore[arg-type]


def test_count_allows_consumers_to_catch_up_with_the_load() -> None:
    assert recommend(load(rate=1000, consumer=1000)).needed == 2
    assert recommend(load(rate=3000, consumer=1000)).needed == 6


def test_large_records_need_more_partitions() -> None:
    # 1,000 × 50,000 bytes = 50 MB/s, at 10 MB/s a partition
    assert recommend(load(rate=1000, average_bytes=50_000)).needed == 5


def test_growth_applies_per_year() -> None:
    assert recommend(load(rate=1000, growth=2, months=12)).needed == 4
    assert recommend(load(rate=1000, growth=2, months=24)).needed == 8


def test_shrinking_load_is_sized_for_today() -> None:
    assert recommend(load(rate=1000, growth=0.5)).needed == 2


@pytest.mark.parametrize(
    ("needed", "partitions"), [(1, 1), (2, 2), (3, 4), (5, 6), (7, 8), (9, 12), (11, 12), (20, 24)]
)
def test_count_has_many_divisors(needed: int, partitions: int) -> None:
    assert recommend(load(rate=needed * 500, consumer=1000)).partitions == partitions


def test_reasons_show_the_calculation() -> None:
    reasons = recommend(load(rate=1000, consumer=1000, growth=3)).reasons

    assert reasons == (
        "load: 1,000 events/s, ×3 a year for 12 months = 3,000 events/s",
        "consumers: 3,000 events/s × 2 to catch up after an outage ÷ 1,000 events/s a consumer = 6 partitions",
        "bytes: 3,000 events/s × 100 bytes ÷ 10,000,000 bytes/s a partition = 1 partition",
        "recommended: 6 partitions, divided evenly by a parallelism of 1, 2, 3, 6",
    )


def test_enough_partitions_give_no_warning() -> None:
    assert recommend(load(rate=1000, consumer=1000), current=2).warnings == ()


def test_too_few_partitions_for_today_give_a_warning() -> None:
    [warning] = recommend(load(rate=3000, consumer=1000), current=4).warnings

    assert warning.startswith("under-partitioned: the topic has 4 partitions, 6 are needed already now")


def test_too_few_partitions_for_later_give_a_warning() -> None:
    [warning] = recommend(load(rate=1000, consumer=1000, growth=3), current=4).warnings

    assert warning.startswith("under-partitioned: the topic has 4 partitions, 6 are needed within 12 months")


def test_key_faster_than_its_consumer_gives_a_warning() -> None:
    [warning] = recommend(load(rate=3000, consumer=1000, hot_key_share=0.5)).warnings

    assert warning.startswith("hot key: 50.0% of 3,000 events/s = 1,500 events/s")
    assert "more partitions can't help" in warning


def test_key_that_leaves_no_time_to_catch_up_gives_a_warning() -> None:
    [warning] = recommend(load(rate=3000, consumer=1000, hot_key_share=0.25)).warnings

    assert "= 750 events/s; its partition and consumer carry 1,000, too few to catch up" in warning


def test_key_larger_than_its_partition_gives_a_warning() -> None:
    # half of 100 events/s × 1 MB = 50 MB/s, at 10 MB/s a partition
    [warning] = recommend(load(rate=100, average_bytes=1_000_000, hot_key_share=0.5)).warnings

    assert "= 50 events/s, and one key is one partition is one consumer, which carries 10" in warning


def test_infrequent_key_gives_no_warning() -> None:
    assert recommend(load(rate=6000, consumer=1000, hot_key_share=0.01)).warnings == ()


def test_count_is_at_most_the_number_of_keys() -> None:
    recommendation = recommend(load(rate=10_000, consumer=1000, keys=10))

    assert recommendation.partitions == 10
    assert recommendation.warnings[0].startswith("few keys: 20 partitions are needed, but there are only 10 keys")


def test_load_for_several_topics_is_refused() -> None:
    with pytest.raises(ValueError, match="20,000 partitions would be needed, more than 10,000"):
        recommend(load(rate=10_000, consumer=1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0}, "events_per_second must be above 0, not 0"),
        ({"consumer": -1}, "consumer_events_per_second must be above 0, not -1"),
        ({"hot_key_share": 20}, "the hot key's share must be above 0 and at most 1, not 20"),
        ({"growth": 0}, "growth must be above 0"),
        ({"keys": 0}, "there must be at least 1 key, not 0"),
    ],
)
def test_impossible_load_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(**wrong)
