import msgspec
import pytest

from events import Notification
from tests.builders.events import customer, enriched_line, event_time
from tests.reference_runs.notifications import (
    DEFAULT,
    POLICY,
    Inbox,
    alert,
    completed_order,
    incomplete_order,
    known,
    occasions,
    order,
    source_record,
)
from udfs.notifications import contacts, messages, state
from udfs.notifications.input import LONGEST_ADDRESS, contact
from udfs.notifications.notification_policy import OccasionRule, Policy
from udfs.notifications.state import HOUR_MS, NOBODY, RECIPIENT_STATE

HOUR_LIMIT_2 = msgspec.structs.replace(POLICY, messages_per_hour=2)
NIGHT = msgspec.structs.replace(POLICY, quiet_hours=DEFAULT.quiet_hours)
REMEMBERED_MS = POLICY.remembered_hours * HOUR_MS


def test_order_is_confirmed_when_event_time_has_passed_it() -> None:
    inbox = Inbox()
    inbox.take(known(), order())

    assert inbox.until("11:59:59") == []
    (message,) = inbox.until("12:00:00")

    assert (message.template, message.recipient, message.address) == (
        "order_confirmation",
        "customer-1",
        "customer-1@example.org",
    )
    assert (message.language, message.time_zone, message.policy_version) == ("de", "Europe/Berlin", POLICY.version)
    (occasion,) = message.payload
    assert (occasion.kind, occasion.occasion_id, occasion.details) == ("order_confirmed", "o1-1", ("2 A book",))
    assert (occasion.amount_minor, occasion.currency, occasion.happened_at) == (40_00, "EUR", event_time("12:00:00"))
    assert message.event_time == event_time("12:00:00")


def test_warning_is_sent_on_arrival() -> None:
    inbox = Inbox()
    inbox.take(known())

    (message,) = inbox.take(alert())

    assert (message.template, message.event_time) == ("fraud_warning", event_time("12:00:00"))
    assert message.payload[0].details == ("many payments",)
    assert "critical" in message.reason


def test_duplicate_of_a_sent_or_waiting_event_is_dropped() -> None:
    inbox = Inbox()
    inbox.take(known(), order(), order(), alert(), alert())
    inbox.until("12:00:01")
    inbox.take(order(), alert())

    assert occasions(inbox.messages) == [["fraud_suspected c1"], ["order_confirmed o1"]]
    assert inbox.dropped == ["repeated"] * 4


def test_kind_that_is_switched_off_is_not_sent() -> None:
    inbox = Inbox()

    inbox.take(known(), alert(step="closed"))
    inbox.until("13:00:00")

    assert (inbox.messages, inbox.dropped) == ([], ["switched_off"])


def test_second_revision_sends_only_lines_that_were_unknown() -> None:
    inbox = Inbox()
    inbox.take(known(), incomplete_order())
    (first,) = inbox.until("12:00:00")
    inbox.until("14:00:00")

    (second,) = inbox.take(completed_order())

    assert first.payload[0].details == ("2 A book", "3 p2")
    assert (second.payload[0].kind, second.payload[0].details) == ("order_completed", ("3 A lamp",))
    assert (second.payload[0].happened_at, second.event_time) == (event_time("12:00:00"), event_time("14:00:00"))


def test_second_revision_without_new_lines_sends_nothing() -> None:
    inbox = Inbox()
    inbox.take(known(), order(complete=False, missing=("customer:customer-1",)))
    inbox.until("12:00:00")

    inbox.take(order(revision=2))
    inbox.until("13:00:00")

    assert len(inbox.messages) == 1
    assert inbox.dropped == ["nothing_new"]


def test_second_revision_completes_a_confirmation_that_is_held() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), incomplete_order(at="23:00:00"))
    inbox.until("2026-03-02T01:00:00Z")

    inbox.take(completed_order(at="23:00:00"))
    (message,) = inbox.until("2026-03-02T07:00:00Z")

    assert (message.payload[0].kind, message.payload[0].details) == ("order_confirmed", ("2 A book", "3 A lamp"))
    assert message.payload[0].occasion_id == "o1-1"


def test_later_revision_that_arrives_first_confirms_the_order() -> None:
    inbox = Inbox()
    inbox.take(known(), completed_order(), incomplete_order())

    (message,) = inbox.until("12:00:00")

    assert (message.payload[0].kind, message.payload[0].details) == ("order_confirmed", ("2 A book", "3 A lamp"))
    assert inbox.dropped == ["repeated"]


def test_orders_beyond_the_limit_become_one_digest_after_the_hour() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute}", f"12:0{minute}:00") for minute in range(1, 6)))

    inbox.until("13:00:59")
    assert occasions(inbox.messages) == [["order_confirmed o1"], ["order_confirmed o2"]]
    (digest,) = inbox.until("13:01:00")

    assert (digest.template, digest.event_time) == ("digest", event_time("13:01:00"))
    assert [each.subject_id for each in digest.payload] == ["o3", "o4", "o5"]
    assert "limit of 2 messages an hour" in digest.reason
    assert occasions(inbox.until("15:00:00")) == []


def test_digest_starts_with_the_oldest_and_has_an_id_by_content() -> None:
    def digest(*held: str) -> Notification:
        inbox = Inbox(HOUR_LIMIT_2)
        inbox.take(known(), order("first", "11:00:00"), order("next", "11:00:01"))
        inbox.until("11:30:00")
        for number, each in enumerate(held):
            inbox.take(order(each, f"11:0{9 - number}:00"))
        return inbox.until("13:00:00")[-1]

    message = digest("a", "b", "c")

    assert [each.subject_id for each in message.payload] == ["c", "b", "a"]
    # These are other orders at the same times.
    assert digest("d", "e", "f").event_id != message.event_id
    assert digest("c", "b", "a").event_id == message.event_id


def test_same_event_gives_each_recipient_a_message_of_its_own() -> None:
    def message_to(recipient_id: str) -> Notification:
        inbox = Inbox(recipient_id=recipient_id)
        return inbox.take(known(), alert())[0]

    assert message_to("c1").event_id != message_to("c2").event_id


def test_single_held_message_keeps_its_own_template() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute}", f"12:0{minute}:00") for minute in range(1, 4)))

    message = inbox.until("13:01:00")[-1]

    assert (message.template, len(message.payload)) == ("order_confirmation", 1)


def test_stricter_policy_counts_messages_sent_under_the_former_one() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), order("o1", "12:00:00"), order("o2", "12:10:00"))
    inbox.until("12:20:00")

    inbox.policy = msgspec.structs.replace(POLICY, messages_per_hour=1)
    inbox.take(order("o3", "12:20:00"))
    inbox.until("14:00:00")

    assert inbox.messages[-1].event_time == event_time("13:10:00")


def test_digest_counts_as_one_message() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute:02}", f"12:{minute:02}:00") for minute in range(10)))
    inbox.until("13:00:00")

    inbox.take(order("p1", "13:00:30"), order("p2", "13:01:30"))
    inbox.until("13:02:00")

    assert [len(each.payload) for each in inbox.messages] == [1, 1, 8, 1]
    assert inbox.messages[-1].event_time == event_time("13:01:00")


def test_warnings_ignore_quiet_hours_limit_and_opt_out_and_do_not_count() -> None:
    policy = msgspec.structs.replace(DEFAULT, messages_per_hour=1)
    inbox = Inbox(policy)
    inbox.take(known(notifications_opt_out=True))

    for number in range(5):
        inbox.take(alert(f"case-{number}", "23:30:00"))
    inbox.take(known("23:40:00", lsn=2), order(at="23:50:00"))
    inbox.until("2026-03-02T07:00:00Z")

    assert [each.template for each in inbox.messages] == ["fraud_warning"] * 5 + ["order_confirmation"]


def test_quiet_hours_end_by_the_time_zone_of_the_recipient() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(time_zone="America/New_York"))
    inbox.take(order("o1", "2026-03-02T02:59:59Z"), order("o2", "2026-03-02T03:00:00Z"))

    inbox.until("2026-03-02T12:59:59Z")
    assert occasions(inbox.messages) == [["order_confirmed o1"]]
    (message,) = inbox.until("2026-03-02T13:00:00Z")

    assert message.event_time == event_time("2026-03-02T13:00:00Z")
    assert "quiet hours, 22:00 to 08:00 in America/New_York" in message.reason


def test_unknown_time_zone_is_replaced_by_utc_with_a_reason() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(time_zone="Europe/Atlantis"), order(at="21:59:00"))

    (message,) = inbox.until("21:59:00")

    assert message.time_zone == "UTC"
    assert "no time zone 'Europe/Atlantis', so UTC" in message.reason


def test_held_message_waits_longer_if_it_is_night_in_the_new_zone() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), order(at="22:30:00"))
    inbox.until("23:00:00")

    inbox.take(known("23:00:00", lsn=2, time_zone="America/New_York"))
    (message,) = inbox.until("2026-03-02T20:00:00Z")

    assert message.event_time == event_time("2026-03-02T13:00:00Z")


def test_customer_who_opted_out_gets_no_confirmation() -> None:
    inbox = Inbox()
    inbox.take(known(notifications_opt_out=True), order())
    inbox.until("13:00:00")

    assert (inbox.messages, inbox.dropped) == ([], ["opted_out"])


def test_opt_out_applies_from_its_event_time_whenever_it_arrives() -> None:
    inbox = Inbox()
    inbox.take(order("before", "12:00:00"), order("after", "12:10:00"))
    inbox.take(known("12:05:00", lsn=2, notifications_opt_out=True), known())

    inbox.until("13:00:00")

    assert occasions(inbox.messages) == [["order_confirmed before"]]


def test_older_version_that_arrives_later_never_overwrites() -> None:
    inbox = Inbox()
    inbox.until("11:00:00")
    inbox.take(known("10:00:00", lsn=7, email="new@example.org"), known("09:00:00", lsn=3, email="old@example.org"))

    inbox.take(alert(), order())
    inbox.until("13:00:00")

    assert {each.address for each in inbox.messages} == {"new@example.org"}


def test_version_with_a_later_time_but_an_older_lsn_is_never_valid() -> None:
    inbox = Inbox()
    inbox.take(known("10:00:00", lsn=7, email="new@example.org"), known("11:00:00", lsn=3, email="old@example.org"))

    inbox.take(order())
    inbox.until("13:00:00")

    assert [each.address for each in inbox.messages] == ["new@example.org"]


def test_version_that_is_never_valid_is_not_kept_in_any_order() -> None:
    never_valid, valid = known("11:00:00", lsn=3), known("10:00:00", lsn=7)

    for versions in ((never_valid, valid), (valid, never_valid), (valid, valid)):
        inbox = Inbox()
        inbox.take(*versions)
        assert inbox.recipient.contacts == (valid,)


def test_replaced_version_is_forgotten() -> None:
    inbox = Inbox()
    inbox.take(known("10:00:00"))
    inbox.until("11:00:00")

    inbox.take(newer := known("10:30:00", lsn=2))

    assert inbox.recipient.contacts == (newer,)


def test_order_uses_the_address_of_its_time_and_warning_the_newest() -> None:
    inbox = Inbox()
    inbox.take(known(), known("12:30:00", lsn=2, email="new@example.org"))

    inbox.take(order(), alert())
    inbox.until("13:00:00")

    assert {each.template: each.address for each in inbox.messages} == {
        "order_confirmation": "customer-1@example.org",
        "fraud_warning": "new@example.org",
    }


def test_deleted_customer_gets_no_message_not_even_a_held_one() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), order("o1", "22:30:00"), order("o2", "22:31:00"))
    inbox.until("23:00:00")

    inbox.take(known("23:00:00", lsn=2, deleted=True), alert(at="23:30:00"), order("o3", "23:30:00"))
    inbox.until("2026-03-02T12:00:00Z")

    assert (inbox.messages, inbox.rejected) == ([], [])
    assert inbox.dropped == ["deleted"] * 4


def test_deleted_customer_is_forgotten_after_remembered_hours() -> None:
    inbox = Inbox()
    inbox.take(known(), known("12:00:00", lsn=2, deleted=True))

    inbox.until("12:00:00")
    assert inbox.recipient != NOBODY
    inbox.until(event_time("12:00:00") + REMEMBERED_MS)

    assert inbox.recipient == NOBODY


def test_events_of_an_unknown_customer_wait_for_the_customer() -> None:
    inbox = Inbox()
    inbox.take(order(), alert())
    inbox.until("12:30:00")
    assert inbox.messages == []

    (warning,) = inbox.take(known("12:40:00"))
    (confirmation,) = inbox.until("12:40:00")

    assert (warning.template, warning.event_time) == ("fraud_warning", event_time("12:40:00"))
    assert confirmation.event_time == event_time("12:40:00")


def test_last_revision_of_a_waiting_order_is_sent_as_its_confirmation() -> None:
    inbox = Inbox()
    inbox.take(incomplete_order())
    inbox.until("12:30:00")
    inbox.take(completed_order())

    inbox.take(known("12:40:00"))
    inbox.until("13:00:00")

    (message,) = inbox.messages
    (occasion,) = message.payload
    assert (occasion.kind, occasion.occasion_id, occasion.details) == (
        "order_confirmed",
        "o1-1",
        ("2 A book", "3 A lamp"),
    )


def test_event_that_waits_too_long_for_its_customer_is_a_dead_letter() -> None:
    inbox = Inbox()
    inbox.take(order(), alert())

    inbox.until("2026-03-02T11:59:59Z")
    assert inbox.rejected == []
    inbox.until("2026-03-02T12:00:00Z")

    assert [record.topic for record, _ in inbox.rejected] == ["fraud-alerts", "enriched-orders"]
    assert all("customer-1 isn't known, within 24 hours" in reason for _, reason in inbox.rejected)
    assert inbox.recipient == NOBODY


def test_customer_who_becomes_known_after_the_limit_gets_no_message() -> None:
    inbox = Inbox()
    inbox.take(order(), known("2026-03-02T12:00:00.001Z"))

    inbox.until("2026-03-02T13:00:00Z")

    assert (len(inbox.rejected), inbox.messages) == (1, [])


def test_replayed_dead_letter_counts_as_new() -> None:
    inbox = Inbox()
    inbox.take(order())
    inbox.until("2026-03-02T12:00:00Z")

    inbox.take(known("2026-03-02T11:00:00Z"), order())
    inbox.until("2026-03-02T13:00:00Z")

    assert occasions(inbox.messages) == [["order_confirmed o1"]]


def test_same_events_give_the_same_ids_and_other_events_others() -> None:
    def ids(*more: str) -> list[str]:
        inbox = Inbox()
        inbox.take(known(), *(order(each) for each in ("o1", "o2", *more)), alert())
        inbox.until("13:00:00")
        return [each.event_id for each in inbox.messages]

    assert ids() == ids()
    assert len({*ids("o3")}) == 4
    assert {*ids()} < {*ids("o3")}


def test_late_order_is_decided_at_once_as_of_the_watermark() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known())
    inbox.until("21:30:00")

    inbox.take(order(at="12:00:00"))
    assert inbox.messages == []
    (message,) = inbox.until("2026-03-02T07:00:00Z")

    assert message.payload[0].happened_at == event_time("12:00:00")


def test_details_are_cut_to_the_limits_of_a_message() -> None:
    lines = tuple(enriched_line(number, name="x" * 500) for number in range(1, 13))
    inbox = Inbox()
    inbox.take(known(), order(lines=lines))

    (message,) = inbox.until("12:00:00")

    details = message.payload[0].details
    assert len(details) == messages.MOST_DETAILS
    assert len(details[0]) == messages.LONGEST_DETAIL
    assert details[-1] == "… +3"


def test_name_is_cut_to_the_limit_of_a_message() -> None:
    inbox = Inbox()

    (message,) = [*inbox.take(known(name="x" * 500)), *inbox.take(alert())]

    assert message.recipient_name == "x" * messages.LONGEST_NAME


def test_unnamed_lines_beyond_the_limit_are_not_sent_later() -> None:
    numbers = range(1, state.MOST_UNNAMED + 2)
    inbox = Inbox()
    inbox.take(known(), order(lines=tuple(enriched_line(number, name=None) for number in numbers)))
    inbox.until("12:00:00")

    (record,) = inbox.recipient.sent_records

    assert record.unnamed == tuple(numbers)[: state.MOST_UNNAMED]


def test_held_messages_at_their_maximum_are_sent_at_once() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known())
    for number in range(state.MOST_HELD + 1):
        inbox.take(order(f"o{number}", f"23:00:{number % 60:02}"))
        inbox.until(f"23:00:{number % 60:02}")

    (digest,) = inbox.messages

    assert len(digest.payload) == state.MOST_HELD
    assert f"at most {state.MOST_HELD} are held" in digest.reason
    assert len(inbox.recipient.held) == 1


def test_oldest_event_beyond_the_limit_of_waiting_is_a_dead_letter() -> None:
    inbox = Inbox()

    for number in range(state.MOST_AWAITING_CUSTOMER + 2):
        inbox.take(alert(f"case-{number}"))

    assert len(inbox.recipient.awaiting_customer) == state.MOST_AWAITING_CUSTOMER
    assert len(inbox.rejected) == 2
    assert "later records wait for the same customer" in inbox.rejected[0][1]


def test_earliest_event_beyond_the_queue_limit_is_decided_at_once() -> None:
    inbox = Inbox()
    inbox.take(known())

    for number in reversed(range(state.MOST_QUEUED + 1)):
        inbox.take(order(f"o{number:02}", f"12:{number:02}:00"))

    assert occasions(inbox.messages) == [["order_confirmed o00"]]
    assert len(inbox.recipient.queue) == state.MOST_QUEUED


def test_oldest_record_beyond_the_limit_is_forgotten() -> None:
    inbox = Inbox()
    inbox.take(known())
    for number in range(state.MOST_SENT_RECORDS + 1):
        inbox.take(alert(f"case-{number}", f"12:{number // 60:02}:{number % 60:02}"))

    assert len(inbox.recipient.sent_records) == state.MOST_SENT_RECORDS
    (again,) = inbox.take(alert("case-0", "12:00:00"))
    assert again.event_id == inbox.messages[0].event_id
    assert inbox.take(alert("case-9", "12:00:09")) == []


def test_oldest_two_versions_beyond_the_limit_become_one() -> None:
    inbox = Inbox()
    inbox.take(*(known(f"{number:02}:00:00", lsn=number + 1) for number in range(contacts.MOST_VERSIONS + 1)))

    inbox.take(order(at="00:30:00"))
    (message,) = inbox.until("00:30:00")

    assert len(inbox.recipient.contacts) <= contacts.MOST_VERSIONS
    assert message.recipient_name == "customer-1 at 01:00:00"


def test_state_ends_with_only_the_customer() -> None:
    inbox = Inbox(DEFAULT)
    inbox.take(known(), *(order(f"o{number}", f"20:0{number}:00") for number in range(9)), incomplete_order("i"))
    inbox.take(alert(), alert(step="escalated", event_id="case-1-2"))

    inbox.until(event_time("2026-03-02T08:00:00Z") + REMEMBERED_MS)

    assert inbox.recipient == msgspec.structs.replace(NOBODY, contacts=(known(),))
    assert [len(each.payload) for each in inbox.messages] == [1, 1, 1, 1, 1, 1, 6]


def test_state_survives_encoding() -> None:
    inbox = Inbox(DEFAULT)
    inbox.take(known(), order(at="23:00:00"), incomplete_order("i"), alert())
    inbox.until("23:00:00")

    assert RECIPIENT_STATE.decode(RECIPIENT_STATE.encode(inbox.recipient)) == inbox.recipient


def test_address_longer_than_allowed_is_refused() -> None:
    too_long = customer(email="x" * (LONGEST_ADDRESS + 1))

    with pytest.raises(msgspec.ValidationError, match=r"\$\.email"):
        contact(source_record(too_long))


def policy_that_sends_closed_cases() -> Policy:
    rule = OccasionRule(template="fraud_warning", critical=False, sent=True)
    return msgspec.structs.replace(POLICY, occasion=POLICY.occasion | {"fraud_closed": rule})


def test_fraud_message_that_is_not_critical_is_limited_like_orders() -> None:
    inbox = Inbox(msgspec.structs.replace(policy_that_sends_closed_cases(), messages_per_hour=1))
    inbox.take(known(), order(), alert(at="12:30:00", step="closed"))

    inbox.until("13:00:00")

    assert [(each.template, each.event_time) for each in inbox.messages] == [
        ("order_confirmation", event_time("12:00:00")),
        ("fraud_warning", event_time("13:00:00")),
    ]
