"""Sinks lack what is newer than all that they show, unless it was rejected or is a duplicate."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from connectors.settings import Settings
from ops.health.answers import freshness
from ops.health.answers.brokers import NONE, Brokers, Offsets
from ops.health.answers.freshness import Sink, output_topic
from ops.health.answers.letters import Letters
from ops.health.answers.stores import Warehouse
from ops.health.check import Reading
from ops.health.measures import sinks
from ops.health.scope import Scope
from tests.builders.health import NOW_MS, group, job, offsets, scope, values
from tests.unit.health.fake_consumer import Consumer

ORDERS, ORDERS_1 = TopicPartition("orders", 0), TopicPartition("orders", 1)
ENRICHED = TopicPartition("enriched-orders", 0)
Times = Mapping[TopicPartition, Mapping[int, int]]


def given(monkeypatch: pytest.MonkeyPatch, times: Times, ends: Offsets | None = None, **known: Any) -> Scope:
    """Return a scope whose brokers have records of these ages in seconds, by partition and offset.

    Offsets behind the last record, up to `ends`, are no records.
    """
    at = {each: {offset: NOW_MS - age * 1000 for offset, age in found.items()} for each, found in times.items()}
    ends = {each: max(found, default=-1) + 1 for each, found in at.items()} | dict(ends or {})
    consumer = Consumer({each: list(found) for each, found in at.items()}, ends, times=at)
    monkeypatch.setattr(freshness, "committed_reader", lambda _: consumer)
    newest = {each: max(found.values(), default=NONE) for each, found in at.items()}
    names = ("order_enrichment", "warehouse", "search_index")
    answers = {
        "jobs": [job(name) for name in names],
        "letters": Letters(),
        "brokers": Brokers(ends=ends, newest=newest),
    }
    return scope(**answers | known)


def shown(age: float | None, keys: tuple[bytes, ...] = ()) -> Sink:
    """Return the topic of enriched orders, whose newest record has this age in seconds."""
    newest = None if age is None else NOW_MS - round(age * 1000)
    return Sink("enriched-orders", "order_enrichment", "orders", newest, keys, "enriched-orders")


def seconds(found: Scope) -> float:
    """Return for how long enriched orders have lacked an order."""
    [reading] = sinks.enriched_orders(found)
    assert reading.subject == "orders → enriched-orders"
    return reading.value


def test_topic_that_shows_all_lacks_nothing_however_long_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, {ORDERS: {0: 90_000, 1: 80_000}}, enriched_orders=shown(80_000))

    assert list(sinks.enriched_orders(found)) == [
        Reading("orders → enriched-orders", 0, "the newest there is of 2026-02-28 13:46:40 UTC")
    ]


def test_first_order_that_is_missing_has_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, {ORDERS: {0: 700, 1: 300}, ORDERS_1: {5: 250, 6: 1}}, enriched_orders=shown(700))

    assert list(sinks.enriched_orders(found)) == [
        Reading(
            "orders → enriched-orders",
            300,
            "the newest there is of 2026-03-01 11:48:20 UTC, and the first that is missing of 2026-03-01 11:55:00 UTC",
        )
    ]


def test_order_after_a_long_pause_is_not_late_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds(given(monkeypatch, {ORDERS: {0: 90_000, 1: 3}}, enriched_orders=shown(90_000))) == 3


def test_old_orders_that_come_all_at_once_are_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {ORDERS: {0: 90_000, 1: 89_980, 2: 89_970}}

    assert seconds(given(monkeypatch, old, enriched_orders=shown(90_000))) == 30


def test_order_from_the_future_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds(given(monkeypatch, {ORDERS: {0: 10, 1: -200}}, enriched_orders=shown(10))) == 0


def test_rejected_order_is_not_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = Letters(rejected={("order_enrichment", "orders"): {(0, 1)}})
    orders = {ORDERS: {0: 400, 1: 300}, ORDERS_1: {1: 200}}

    assert seconds(given(monkeypatch, orders, enriched_orders=shown(400), letters=letters)) == 200


def test_duplicate_of_an_order_that_is_shown_is_not_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, {ORDERS: {0: 400, 1: 300}}, enriched_orders=shown(400, keys=(b"0", b"1")))

    assert seconds(found) == 0


def test_order_that_is_shown_before_many_corrections_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {ORDERS: {0: 400, 1: 300}, ENRICHED: {0: 400, 1: 300, 2: 5_000}}

    assert seconds(given(monkeypatch, times, enriched_orders=shown(5_000))) == 0


def test_mark_of_a_transaction_is_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, {ORDERS: {0: 400}}, {ORDERS: 3}, enriched_orders=shown(400))
    consumer = freshness.committed_reader(Settings())
    consumer.offsets_for_times = lambda _: {ORDERS: SimpleNamespace(offset=1)}

    assert seconds(found) == 0


def test_empty_sink_lacks_only_what_came_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds(given(monkeypatch, {ORDERS: {0: 9_000}}, enriched_orders=shown(None))) == 0
    assert seconds(given(monkeypatch, {ORDERS: {0: 9_000, 1: 3_000}}, enriched_orders=shown(None))) == 3_000


def test_sink_of_a_program_that_does_not_run_is_not_asked() -> None:
    ended = scope(jobs=[job("warehouse", "FAILED")], brokers=Brokers())

    for measure in (sinks.enriched_orders, sinks.warehouse, sinks.search, sinks.mails):
        assert list(measure(ended)) == []


def test_each_table_is_compared_with_its_own_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {TopicPartition("payments", 0): {0: 60, 1: 50}, ENRICHED: {0: 70, 1: 40}}
    tables = {"fact_payment": NOW_MS - 50_000, "fact_order": NOW_MS - 40_000, "fact_order_line": NOW_MS - 70_000}

    readings = list(sinks.warehouse(given(monkeypatch, times, warehouse=Warehouse(tables))))

    assert values(readings) == {
        "enriched-orders → fact_order": 0,
        "enriched-orders → fact_order_line": 30,
        "payments → fact_payment": 0,
    }


def test_each_alias_is_compared_with_its_own_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {TopicPartition("fraud-alerts", 0): {0: 600, 1: 500}, ENRICHED: {0: 70}}
    aliases = {"orders": NOW_MS - 70_000, "fraud-alerts": NOW_MS - 600_000}

    readings = list(sinks.search(given(monkeypatch, times, newest_in_search=aliases)))

    assert values(readings) == {"enriched-orders → orders": 0, "fraud-alerts → fraud-alerts": 100}


def test_mail_waits_since_the_first_notification_that_was_not_dealt_with() -> None:
    waiting = group("notifier", unread_since=offsets("notifications", NOW_MS - 5_000, NOW_MS - 90_000))

    assert list(sinks.mails(scope(brokers=Brokers(groups=(waiting, group()))))) == [
        Reading("notifications", 90, "the first that waits is of 2026-03-01 11:58:30 UTC")
    ]
    assert list(sinks.mails(scope(brokers=Brokers(groups=(group("notifier"),))))) == [
        Reading("notifications", 0, "none waits")
    ]


def test_newest_record_of_a_topic_is_found_among_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def records(_: Settings, topic: str, latest: int) -> Iterator[SimpleNamespace]:
        assert (topic, latest) == ("enriched-orders", freshness.READ_OFFSETS)
        for key, timestamp in ((b"a", 5), (b"b", 9), (b"a", 5)):
            yield SimpleNamespace(key=key, timestamp=timestamp)

    monkeypatch.setattr(freshness, "committed_records", records)

    found = output_topic(Settings(), "order_enrichment", "orders", "enriched-orders")

    assert (found.newest, found.keys) == (9, {b"a", b"b"})
