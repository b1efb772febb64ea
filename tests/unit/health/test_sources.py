"""Measures of what jobs read: lag in records and seconds, event time against the newest record, and the late share."""

import pytest

from ops.health.answers.brokers import NONE, Brokers
from ops.health.answers.cluster import NO_WATERMARK, SourceWatermark
from ops.health.check import Reading
from ops.health.measures import sources
from ops.topics.apply import RealTopic
from tests.builders.health import NOW_MS, VERTEX, group, offsets, scope, tasks, values

BEHIND = group(
    committed=offsets("payments", 40, 50, 60),
    unread_since=dict(list(offsets("payments", NOW_MS - 90_000, NOW_MS - 5_000).items())),
)
BROKERS = Brokers(groups=(BEHIND,), ends=offsets("payments", 70, 51, 61))


def test_lag_in_records_leaves_out_offsets_that_are_no_records() -> None:
    assert list(sources.lag_in_records(scope(brokers=BROKERS))) == [
        Reading("fraud_detection: payments", 30 + 1, "30 of them in partition 0")
    ]


def test_lag_in_seconds_is_the_age_of_the_oldest_unread_record() -> None:
    assert list(sources.lag_in_seconds(scope(brokers=BROKERS))) == [
        Reading("fraud_detection: payments", 90, "partition 0: the first unread record is of 2026-03-01 11:58:30 UTC")
    ]


def test_group_that_has_read_all_has_no_lag() -> None:
    found = Brokers(groups=(group(committed=offsets("payments", 40)),), ends=offsets("payments", 41))

    assert values(list(sources.lag_in_records(scope(brokers=found)))) == {"fraud_detection: payments": 0}
    assert values(list(sources.lag_in_seconds(scope(brokers=found)))) == {"fraud_detection: payments": 0}


def test_lag_is_measured_for_each_topic_of_a_group() -> None:
    reads = group("search_index", committed=offsets("fraud-alerts", 1) | offsets("enriched-orders", 1))
    found = Brokers(groups=(reads,), ends=offsets("fraud-alerts", 1) | offsets("enriched-orders", 1))

    assert list(values(list(sources.lag_in_seconds(scope(brokers=found))))) == [
        "search_index: enriched-orders",
        "search_index: fraud-alerts",
    ]


def test_record_from_the_future_is_no_negative_lag() -> None:
    ahead = group(committed=offsets("payments", 0), unread_since=offsets("payments", NOW_MS + 60_000))

    [reading] = sources.lag_in_seconds(scope(brokers=Brokers(groups=(ahead,), ends=offsets("payments", 1))))

    assert reading.value == 0


def event_time(emitted: int, partitions: dict[str, int], *newest: int) -> list[Reading]:
    """Return the readings of one source subtask, whose topic has partitions with these newest records."""
    source = SourceWatermark("Source__payments", 3, emitted, partitions)
    found = tasks({}, VERTEX, watermarks=(source,))
    brokers = Brokers(newest=offsets("payments", *newest))
    return list(sources.event_time(scope(tasks=[found], brokers=brokers)))


def test_event_time_is_behind_the_newest_record_with_the_partition_that_is_the_last() -> None:
    partitions = {"payments-0": NOW_MS - 100_000, "payments-1": NOW_MS - 5_000, "payments-2": NO_WATERMARK}

    assert event_time(NOW_MS - 100_000, partitions, NOW_MS - 99_000, NOW_MS, NONE) == [
        Reading(
            "fraud_detection: payments, subtask 3",
            100,
            "event time is 2026-03-01 11:58:20 UTC; payments-0 is the last, at 2026-03-01 11:58:20 UTC",
        )
    ]


def test_quiet_topic_does_not_make_event_time_late() -> None:
    [reading] = event_time(NOW_MS - 3_605_000, {"payments-0": NOW_MS - 3_605_000}, NOW_MS - 3_600_000)

    assert reading.value == 5


def test_event_time_is_compared_with_the_partitions_of_its_own_subtask() -> None:
    [reading] = event_time(NOW_MS - 50_000, {"payments-0": NOW_MS - 50_000}, NOW_MS - 49_000, NOW_MS)

    assert reading.value == 1


def test_record_from_the_future_counts_as_now() -> None:
    [reading] = event_time(NOW_MS - 1_000, {"payments-0": NOW_MS - 1_000}, NOW_MS + 240_000)

    assert reading.value == 1


@pytest.mark.parametrize(
    ("emitted", "newest"), [(NO_WATERMARK, NOW_MS), (NOW_MS, NONE)], ids=["no watermark", "no record"]
)
def test_source_without_event_time_or_records_is_not_measured(emitted: int, newest: int) -> None:
    assert event_time(emitted, {"payments-0": emitted}, newest) == []


def test_late_share_is_that_of_the_records_read() -> None:
    found = Brokers(
        topics={"late-payments": RealTopic(1, {})},
        ends=offsets("payments", 1_000, 1_000) | offsets("late-payments", 110),
        recent=offsets("payments", 100, 900) | offsets("late-payments", 100),
    )

    assert list(sources.late_share(scope(brokers=found))) == [
        Reading("late-payments", 0.01, "10 late of 1,000 records in an hour")
    ]


def test_late_share_without_records_is_none() -> None:
    found = Brokers(topics={"late-payments": RealTopic(1, {})})

    assert values(list(sources.late_share(scope(brokers=found)))) == {"late-payments": 0}


@pytest.mark.parametrize(("made", "failed", "share"), [(15, 5, [0.25]), (20, 0, [0]), (18, 1, []), (0, 0, [])])
def test_failed_commits_are_a_share_of_enough_of_them(made: int, failed: int, share: list[float]) -> None:
    found = tasks({}, commits=made, failed_commits=failed)

    readings = list(sources.failed_commits(scope(tasks=[found])))

    assert [each.value for each in readings] == share
    assert {each.subject for each in readings} <= {"fraud_detection: Source: records of payments[1]"}
