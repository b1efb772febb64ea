"""Decisions of the notifier on retries, order, offsets and duplicates: no network, no clock."""

from pathlib import Path
from random import Random

import msgspec
import pytest
from kafka import TopicPartition

from connectors.kafka.topics import NOTIFICATIONS
from events import Notification
from notifier.dead_letters import InvalidNotificationError, Undeliverable, decoded
from notifier.delivered_ids import OLDEST_MS, DeliveredIds
from notifier.message_queue import Message, MessageQueue
from notifier.offsets import Offsets
from notifier.retries import LEAST_SHARE, Availability, RetryPolicy
from tests.builders.notifications import consumed, notification

POLICY = RetryPolicy(attempts=5, outage_seconds=100, first_delay_seconds=1, longest_delay_seconds=8)
FIRST, SECOND = (TopicPartition(NOTIFICATIONS.name, number) for number in (0, 1))
NOW_MS = 1_800_000_000_000


def message(recipient: str, offset: int, partition: int = 0, since: float = 0) -> Message:
    made = notification(f"{recipient}-{offset}", recipient=recipient)
    return Message(consumed(b"", partition, offset), made, since)


def taken(waiting: MessageQueue, now: float = 0) -> list[str]:
    """Take all messages that can be taken now; return their ids."""
    found = []
    while each := waiting.take(now):
        found.append(each.notification.event_id)
    return found


def available(seed: int = 1) -> Availability:
    return Availability(POLICY, Random(seed))


@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (5000, 8)])
def test_each_failure_doubles_the_delay_up_to_the_longest(failures: int, longest: float) -> None:
    delays = [POLICY.retry_delay(failures, Random(seed)) for seed in range(200)]

    assert longest * LEAST_SHARE <= min(delays) < longest * 0.55
    assert longest * 0.95 < max(delays) <= longest


def test_unavailable_server_is_offered_one_message_at_a_time() -> None:
    server = available()
    server.claim()
    assert server.is_open(0)

    server.failed("refused", 0)

    assert not server.is_open(0.4)
    assert server.is_open(1)
    server.claim()
    assert not server.is_open(1)
    server.failed("refused", 1)
    assert not server.is_open(1.9)
    assert server.is_open(3)
    server.claim()
    server.answered()
    assert (server.is_available, server.reason) == (True, "")
    server.claim()
    assert server.is_open(3)


def test_messages_that_fail_together_count_as_one_failure() -> None:
    server = available()

    for _ in range(20):
        server.failed("refused", 0)

    assert server.is_open(1)


def test_unavailable_server_is_tried_at_least_every_15_seconds() -> None:
    server = available()
    server.failed("refused", 0)

    for number in range(1, 50):
        assert server.is_open(number * 15)
        server.claim()
        server.failed("refused", number * 15)


def test_each_message_waits_equally_long_for_an_unavailable_server() -> None:
    server = available()
    assert not server.is_over(waiting_since=0, now=1000)

    server.failed("refused", 1000)

    assert not server.is_over(waiting_since=0, now=1100)
    assert server.is_over(waiting_since=0, now=1101)
    assert not server.is_over(waiting_since=1050, now=1101)
    server.answered()
    assert not server.is_over(waiting_since=0, now=5000)


def test_each_recipient_gets_messages_in_their_order_one_at_a_time() -> None:
    waiting = MessageQueue()
    first, second = message("a", 0), message("a", 1)
    for each in (first, second, message("b", 2)):
        waiting.add(each)

    assert taken(waiting) == ["a-0", "b-2"]
    waiting.done(first)
    assert taken(waiting) == ["a-1"]
    waiting.done(second)
    assert len(waiting) == 1


def test_message_that_is_put_off_holds_back_its_recipient_only() -> None:
    waiting = MessageQueue()
    first = message("a", 0)
    for each in (first, message("a", 1), message("b", 2)):
        waiting.add(each)
    assert waiting.take(0) is first

    waiting.put_off(first, until=10)

    assert taken(waiting, now=9) == ["b-2"]
    assert waiting.take(10) is first
    assert not waiting.is_due(10)


def test_messages_of_other_partitions_keep_their_order() -> None:
    waiting = MessageQueue()
    for each in (message("a", 0, 0), message("b", 0, 1), message("b", 1, 1)):
        waiting.add(each)

    waiting.forget([FIRST])

    assert len(waiting) == 2
    assert taken(waiting) == ["b-0"]


def test_offsets_are_committed_up_to_the_first_unsettled_record() -> None:
    offsets = Offsets()
    for offset in (5, 6, 8):
        offsets.took(FIRST, offset)
    offsets.took(SECOND, 0)

    offsets.settled(FIRST, 6)
    assert offsets.to_commit() == {}
    assert offsets.spread(FIRST) == 3
    offsets.settled(FIRST, 5)
    assert offsets.to_commit() == {FIRST: 7}
    offsets.committed({FIRST: 7})
    assert offsets.to_commit() == {}
    offsets.settled(FIRST, 8)
    offsets.settled(SECOND, 0)
    assert offsets.to_commit() == {FIRST: 9, SECOND: 1}


def test_record_that_is_read_again_is_recognised_also_when_settled() -> None:
    offsets = Offsets()
    assert [offsets.took(FIRST, offset) for offset in (5, 6)] == [True, True]
    offsets.settled(FIRST, 5)

    assert [offsets.took(FIRST, offset) for offset in (5, 6, 7)] == [False, False, True]
    assert offsets.to_commit() == {FIRST: 6}


def test_offsets_of_a_lost_partition_are_not_committed() -> None:
    offsets = Offsets()
    offsets.took(FIRST, 0)

    offsets.forget([FIRST])
    offsets.settled(FIRST, 0)

    assert offsets.to_commit() == {}


def test_delivered_ids_outlive_a_restart_and_are_shared_by_the_group(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "group.sqlite"
    with DeliveredIds(file) as delivered_ids, DeliveredIds(file) as other:
        delivered_ids.add(["n1"], NOW_MS)
        assert other.has("n1")

    with DeliveredIds(file) as delivered_ids:
        assert (delivered_ids.has("n1"), delivered_ids.has("n2")) == (True, False)


def test_forgotten_notification_is_too_old_to_be_delivered_again(tmp_path: Path) -> None:
    decided = notification(event_time=NOW_MS)
    value = consumed(_encoded(decided))
    with DeliveredIds(tmp_path / "group.sqlite") as delivered_ids:
        delivered_ids.add([decided.event_id], NOW_MS)
        for later_ms in range(0, 3 * OLDEST_MS, OLDEST_MS // 50):
            delivered_ids.forget_old(NOW_MS + later_ms)
            if not delivered_ids.has(decided.event_id):
                with pytest.raises(InvalidNotificationError, match="too old"):
                    decoded(value, NOW_MS + later_ms)
        assert not delivered_ids.has(decided.event_id)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no value"),
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"unknown":' + b"[" * 100_000, "recursion"),
        (b"{}", "missing required field"),
        (b'{"unknown": 1}', "missing|unknown"),
    ],
)
def test_invalid_notification_is_an_error_with_its_reason(value: bytes | None, words: str) -> None:
    with pytest.raises(InvalidNotificationError, match=f"(?i){words}"):
        decoded(consumed(value), NOW_MS)


def test_field_that_the_schema_does_not_know_is_an_error() -> None:
    value = _encoded(notification(event_time=NOW_MS)).replace(b'"channel"', b'"urgent":true,"channel"')

    with pytest.raises(InvalidNotificationError, match="urgent"):
        decoded(consumed(value), NOW_MS)


def test_dead_letter_has_the_record_byte_for_byte_and_its_place() -> None:
    letter = Undeliverable(consumed(b"\xff", partition=3, offset=42, key=None), "because").letter()

    assert (letter.event_id, letter.source_key, letter.payload) == ("notifications-3-42", None, b"\xff")
    assert (letter.event_time, letter.source_headers) == (5, {"trace": b"1"})
    assert (letter.reason, letter.rejected_by) == ("because", "notifier")


def _encoded(event: Notification) -> bytes:
    return msgspec.json.encode(event)
