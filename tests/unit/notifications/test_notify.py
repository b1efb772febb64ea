from collections.abc import Sequence

import msgspec
from pyflink.common import Row

from events import CustomerVersion, DeadLetter, EnrichedOrder, Event, FraudAlert, Notification
from tests.builders.events import customer, enriched_order, event_time, fraud_alert
from tests.reference_runs.harness import KeyedHarness
from tests.reference_runs.notifications import POLICY
from udfs.notifications.notify import RECIPIENT, Notify
from udfs.notifications.state import HOUR_MS, NOBODY, RECIPIENT_STATE

KINDS = {
    FraudAlert: ("alert", "fraud-alerts"),
    EnrichedOrder: ("order", "enriched-orders"),
    CustomerVersion: ("customer", "db-changes.customers"),
}
FORGOTTEN_MS = POLICY.remembered_hours * HOUR_MS


def stage() -> KeyedHarness:
    return KeyedHarness(Notify(POLICY, "notifications", lambda event: event), key=lambda row: row[RECIPIENT])


def element(
    event: FraudAlert | EnrichedOrder | CustomerVersion, offset: int = 7, watermark: int | None = None
) -> tuple[Row, int]:
    """Return the row of `records_of_recipients` for an event, and its timestamp."""
    kind, topic = KINDS[type(event)]
    payload = msgspec.json.encode(event)
    row = Row(kind, event.customer_id, None, topic, 0, offset, b"k", {"trace": b"t"}, payload, None, watermark)
    return row, event.event_time


def addressed(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(each.recipient, each.template) for each in events if isinstance(each, Notification)]


def test_recipients_have_separate_state() -> None:
    running = stage()
    for customer_id in ("c1", "c2"):
        running.process(*element(customer(customer_id)))
        running.process(*element(fraud_alert(customer_id=customer_id)))
    running.process(*element(enriched_order(customer_id="c2")))

    fired = running.advance_watermark(event_time("12:00:00"))

    assert addressed(running.outputs[:2]) == [("c1", "fraud_warning"), ("c2", "fraud_warning")]
    assert addressed(fired) == [("c2", "order_confirmation")]


def test_row_watermark_makes_a_record_late_before_the_operator_has_one() -> None:
    running = stage()
    running.process(*element(customer("c1")))

    late = enriched_order(customer_id="c1")
    (message,) = running.process(*element(late, watermark=event_time("15:00:00")))

    assert message.event_time == event_time("15:00:00")


def test_undecodable_record_is_a_dead_letter_and_leaves_no_state() -> None:
    running = stage()
    row = Row("order", "enriched-orders-0-7", None, "enriched-orders", 0, 7, b"k", {"trace": b"t"}, b"{", "torn", None)

    (letter,) = running.process(row, event_time("12:00:00"))

    assert isinstance(letter, DeadLetter)
    assert (letter.event_id, letter.reason, letter.rejected_by) == ("enriched-orders-0-7", "torn", "notifications")
    assert (letter.payload, letter.source_key, letter.source_headers) == (b"{", b"k", {"trace": b"t"})
    assert running.is_empty()


def test_record_that_only_python_rejects_is_a_dead_letter() -> None:
    running = stage()
    row, timestamp = element(customer("c1", email="x" * 300))

    (letter,) = running.process(row, timestamp)

    assert isinstance(letter, DeadLetter)
    assert "$.email" in letter.reason
    assert running.is_empty()


def test_dead_letter_of_an_expired_wait_has_the_original_record() -> None:
    running = stage()
    row, timestamp = element(enriched_order(customer_id="nobody"), offset=42)
    running.process(row, timestamp)

    (letter,) = running.advance_watermark(timestamp + POLICY.wait_for_customer_hours * HOUR_MS)

    assert isinstance(letter, DeadLetter)
    assert (letter.source_topic, letter.source_offset, letter.payload) == ("enriched-orders", 42, row[8])
    assert (letter.source_headers, letter.event_time) == ({"trace": b"t"}, timestamp)
    assert running.is_empty()


def test_recipient_has_at_most_one_timer() -> None:
    running = stage()
    running.process(*element(customer("c1")))
    assert running.timers == set()

    for minute in (5, 3, 4):
        running.process(*element(enriched_order(f"o{minute}", f"12:0{minute}:00", customer_id="c1")))
    assert running.timers == {(event_time("12:03:00"), "c1")}
    running.advance_watermark(event_time("12:05:00"))

    assert running.timers == {(event_time("12:05:00") + FORGOTTEN_MS, "c1")}


def test_restart_in_the_middle_gives_the_same_messages() -> None:
    events = [
        customer("c1"),
        enriched_order("o1", customer_id="c1"),
        enriched_order("o2", "12:10:00", customer_id="c1"),
    ]
    undisturbed, stopped, restarted = stage(), stage(), stage()
    for event in events:
        undisturbed.process(*element(event))
    undisturbed.advance_watermark(event_time("13:00:00"))

    for event in events[:2]:
        stopped.process(*element(event))
    stopped.advance_watermark(event_time("11:59:59"))
    restarted.restore(stopped)
    restarted.process(*element(events[2]))
    restarted.advance_watermark(event_time("13:00:00"))

    assert restarted.outputs == undisturbed.outputs


def test_dropped_events_are_counted_by_reason() -> None:
    running = stage()
    running.process(*element(customer("c1", notifications_opt_out=True)))

    running.process(*element(enriched_order(customer_id="c1")))
    running.process(*element(enriched_order(customer_id="c1")))
    running.advance_watermark(event_time("12:00:00"))

    assert running.counted == {"dropped_repeated": 1, "dropped_opted_out": 1}


def test_state_and_timers_end_with_only_the_known_customer() -> None:
    running = stage()
    for customer_id in ("stays", "goes", "unknown"):
        running.process(*element(fraud_alert(customer_id=customer_id)))
        running.process(*element(enriched_order(customer_id=customer_id)))
    running.process(*element(customer("stays")))
    running.process(*element(customer("goes")))
    running.process(*element(customer("goes", "13:00:00", lsn=2, deleted=True)))

    running.advance_watermark(event_time("13:00:00") + FORGOTTEN_MS)

    (left,) = running.states["recipient"].values.items()
    assert left[0] == "stays"
    assert msgspec.structs.replace(RECIPIENT_STATE.decode(left[1]), contacts=()) == NOBODY
    assert running.timers == set()
