"""The declarations of arrows fit the data flow, and what a record comes from is found in it."""

from types import SimpleNamespace

import msgspec
import pytest

from connectors.kafka import topics
from connectors.kafka.topics import MINUTE_MS
from events import Event
from jobs import flow
from ops.frontier.arrows import ARROWS, HELD, SINKS, SOURCE_TIMES, Arrow, leading_to
from tests.builders.events import category_revenue, event_time
from tests.builders.notifications import notification, occasion

NOON = 1_772_366_400_000


def source_time(topic: str, timestamp: int, event: Event | bytes) -> int:
    value = event if isinstance(event, bytes) else msgspec.json.encode(event)
    return SOURCE_TIMES[topic](SimpleNamespace(timestamp=timestamp, value=value))


def test_each_arrow_of_the_data_flow_ends_in_a_kind_of_sink() -> None:
    assert len(ARROWS) == sum(len(program.reads) for program in flow.PROGRAMS)
    assert {each.sink for each in ARROWS} == set(SINKS)


def test_declared_arrows_exist() -> None:
    names = {(each.program.name, each.topic.name) for each in ARROWS}

    assert HELD.keys() <= names
    assert SOURCE_TIMES.keys() <= {topic.name for program in flow.PROGRAMS for topic in program.writes}


def test_way_to_a_sink_has_all_arrows_from_the_sources() -> None:
    assert {str(each) for each in leading_to("mail server")} == {
        "payments → fraud_detection",
        "orders → order_enrichment",
        "db-changes.customers → order_enrichment",
        "db-changes.products → order_enrichment",
        "enriched-orders → notifications",
        "fraud-alerts → notifications",
        "db-changes.customers → notifications",
        "notifications → notifier",
    }
    assert leading_to("Elasticsearch", [Arrow(flow.NOTIFIER, topics.NOTIFICATIONS)]) == []


@pytest.mark.parametrize(
    ("watermark", "up_to"),
    [(NOON, NOON - 1), (NOON + MINUTE_MS - 1, NOON - 1), (NOON + MINUTE_MS, NOON + MINUTE_MS - 1)],
)
def test_revenue_is_out_up_to_the_last_minute_that_is_over(watermark: int, up_to: int) -> None:
    assert HELD["revenue_per_minute", "enriched-orders"].reached(watermark) == up_to


def test_revenue_comes_from_orders_since_the_begin_of_its_minute() -> None:
    event = category_revenue("books")

    assert source_time("revenue-per-minute", event.event_time, event) == event.window_start


def test_notification_comes_from_its_first_occasion() -> None:
    digest = notification("n1", occasion(at="12:00:05"), occasion(at="12:00:03"))

    assert source_time("notifications", digest.event_time, digest) == event_time("12:00:03")


@pytest.mark.parametrize("value", [b"", b"no message", b'{"payload": []}', b'{"payload": [{}]}'])
def test_notification_that_does_not_decode_may_come_from_anything(value: bytes) -> None:
    assert source_time("notifications", NOON, value) == 0
