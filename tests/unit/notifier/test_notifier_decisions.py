"""When is a message tried again, whose turn is it, what may be committed, what is remembered? No network, no clock."""

from pathlib import Path
from random import Random

import msgspec
import pytest
from kafka import TopicPartition

from connectors.kafka.topics import NOTIFICATIONS
from events import Notification
from notifier.dead_letters import NoNotificationError, Undeliverable, decoded
from notifier.delivered_ids import OLDEST_MS, Memory
from notifier.message_queue import Message, Waiting
from notifier.offsets import Offsets
from notifier.retries import LEAST_SHARE, Availability, Patience
from tests.builders.notifications import consumed, notification

PATIENCE = Patience(attempts=5, outage_seconds=100, first_delay_seconds=1, longest_delay_seconds=8)
FIRST, SECOND = (TopicPartition(NOTIFICATIONS.name, number) for number in (0, 1))
NOW_MS = 1_800_000_000_000


def message(recipient: str, offset: int, partition: int = 0, since: float = 0) -> Message:
    made = notification(f"{recipient}-{offset}", recipient=recipient)
    return Message(consumed(b"", partition, offset), made, since)


def taken(waiting: Waiting, now: float = 0) -> list[str]:
    """All that can be taken now."""
    found = []
    while each := waiting.take(now):
        found.append(each.notification.event_id)
    return found


def available(seed: int = 1) -> Availability:
    return Availability(PATIENCE, Random(seed))


@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (5000, 8)])
def test_each_failure_doubles_the_delay_up_to_the_longest(failures: int, longest: float) -> None:
    delays = [PATIENCE.retry_delay(failures, Random(seed)) for seed in range(200)]

    assert longest * LEAST_SHARE <= min(delays) < longest * 0.55
    assert longest * 0.95 < max(delays) <= longest


def test_while_the_server_is_away_one_message_at_a_time_is_offered() -> None:
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
    assert (server.is_there, server.reason) == (True, "")
    server.claim()
    assert server.is_open(3)


def test_messages_that_fail_together_count_as_one_failure() -> None:
    server = available()

    for _ in range(20):
        server.failed("refused", 0)

    assert server.is_open(1)


def test_the_server_is_asked_at_least_every_quarter_of_a_minute() -> None:
    server = available()
    server.failed("refused", 0)

    for number in range(1, 50):
        assert server.is_open(number * 15)
        server.claim()
        server.failed("refused", number * 15)


def test_a_message_waits_for_a_server_that_is_away_as_long_as_it_may_and_one_that_came_later_just_as_long() -> None:
    server = available()
    assert not server.is_over(waiting_since=0, now=1000)

    server.failed("refused", 1000)

    assert not server.is_over(waiting_since=0, now=1100)
    assert server.is_over(waiting_since=0, now=1101)
    assert not server.is_over(waiting_since=1050, now=1101)
    server.answered()
    assert not server.is_over(waiting_since=0, now=5000)


def test_each_recipient_gets_messages_in_their_order_one_at_a_time() -> None:
    waiting = Waiting()
    first, second = message("a", 0), message("a", 1)
    for each in (first, second, message("b", 2)):
        waiting.add(each)

    assert taken(waiting) == ["a-0", "b-2"]
    waiting.done(first)
    assert taken(waiting) == ["a-1"]
    waiting.done(second)
    assert len(waiting) == 1


def test_a_message_that_is_put_off_holds_back_its_recipient_s_and_nobody_else_s() -> None:
    waiting = Waiting()
    first = message("a", 0)
    for each in (first, message("a", 1), message("b", 2)):
        waiting.add(each)
    assert waiting.take(0) is first

    waiting.put_off(first, until=10)

    assert taken(waiting, now=9) == ["b-2"]
    assert waiting.take(10) is first
    assert not waiting.is_due(10)


def test_what_another_member_reads_now_is_forgotten_and_the_rest_keeps_its_order() -> None:
    waiting = Waiting()
    for each in (message("a", 0, 0), message("b", 0, 1), message("b", 1, 1)):
        waiting.add(each)

    waiting.forget([FIRST])

    assert len(waiting) == 2
    assert taken(waiting) == ["b-0"]


def test_offsets_are_committed_up_to_the_first_record_that_is_not_settled() -> None:
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


def test_a_record_that_is_read_again_is_noticed_also_when_it_is_settled() -> None:
    offsets = Offsets()
    assert [offsets.took(FIRST, offset) for offset in (5, 6)] == [True, True]
    offsets.settled(FIRST, 5)

    assert [offsets.took(FIRST, offset) for offset in (5, 6, 7)] == [False, False, True]
    assert offsets.to_commit() == {FIRST: 6}


def test_of_a_partition_that_is_somebody_else_s_nothing_is_committed() -> None:
    offsets = Offsets()
    offsets.took(FIRST, 0)

    offsets.forget([FIRST])
    offsets.settled(FIRST, 0)

    assert offsets.to_commit() == {}


def test_what_was_delivered_is_remembered_over_a_restart_and_by_every_member_of_the_group(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "group.sqlite"
    with Memory(file) as memory, Memory(file) as other:
        memory.remember(["n1"], NOW_MS)
        assert other.has("n1")

    with Memory(file) as memory:
        assert (memory.has("n1"), memory.has("n2")) == (True, False)


def test_what_is_forgotten_is_too_old_to_be_delivered_again(tmp_path: Path) -> None:
    decided = notification(event_time=NOW_MS)
    value = consumed(_encoded(decided))
    with Memory(tmp_path / "group.sqlite") as memory:
        memory.remember([decided.event_id], NOW_MS)
        for later_ms in range(0, 3 * OLDEST_MS, OLDEST_MS // 50):
            memory.forget_old(NOW_MS + later_ms)
            if not memory.has(decided.event_id):
                with pytest.raises(NoNotificationError, match="too old"):
                    decoded(value, NOW_MS + later_ms)
        assert not memory.has(decided.event_id)


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
def test_a_record_that_is_no_notification_is_told(value: bytes | None, words: str) -> None:
    with pytest.raises(NoNotificationError, match=f"(?i){words}"):
        decoded(consumed(value), NOW_MS)


def test_a_field_that_the_schema_does_not_know_is_refused() -> None:
    value = _encoded(notification(event_time=NOW_MS)).replace(b'"channel"', b'"urgent":true,"channel"')

    with pytest.raises(NoNotificationError, match="urgent"):
        decoded(consumed(value), NOW_MS)


def test_a_reject_has_the_record_byte_for_byte_and_where_it_was() -> None:
    letter = Undeliverable(consumed(b"\xff", partition=3, offset=42, key=None), "because").letter()

    assert (letter.event_id, letter.source_key, letter.payload) == ("notifications-3-42", None, b"\xff")
    assert (letter.event_time, letter.source_headers) == (5, {"trace": b"1"})
    assert (letter.reason, letter.rejected_by) == ("because", "notifier")


def _encoded(event: Notification) -> bytes:
    return msgspec.json.encode(event)
