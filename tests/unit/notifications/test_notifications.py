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
    order,
    source_record,
    told,
)
from udfs.notifications import decisions as notifications
from udfs.notifications.decisions import HOUR_MS, NOBODY, StateVersionError, decode_recipient, encode_recipient
from udfs.notifications.input import LONGEST_ADDRESS, contact
from udfs.notifications.notification_policy import OccasionRule, Policy

HOUR_LIMIT_2 = msgspec.structs.replace(POLICY, messages_per_hour=2)
NIGHT = msgspec.structs.replace(POLICY, quiet_hours=DEFAULT.quiet_hours)
REMEMBERED_MS = POLICY.remembered_hours * HOUR_MS


def test_an_order_is_confirmed_when_event_time_has_passed_it() -> None:
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


def test_a_warning_goes_out_on_arrival() -> None:
    inbox = Inbox()
    inbox.take(known())

    (message,) = inbox.take(alert())

    assert (message.template, message.event_time) == ("fraud_warning", event_time("12:00:00"))
    assert message.payload[0].details == ("many payments",)
    assert "critical" in message.reason


def test_a_repetition_is_dropped_whether_the_first_is_told_or_waits() -> None:
    inbox = Inbox()
    inbox.take(known(), order(), order(), alert(), alert())
    inbox.until("12:00:01")
    inbox.take(order(), alert())

    assert told(inbox.messages) == [["fraud_suspected c1"], ["order_confirmed o1"]]
    assert inbox.dropped == ["repeated"] * 4


def test_a_kind_that_is_switched_off_is_not_told() -> None:
    inbox = Inbox()

    inbox.take(known(), alert(step="closed"))
    inbox.until("13:00:00")

    assert (inbox.messages, inbox.dropped) == ([], ["switched_off"])


def test_a_second_revision_tells_only_what_was_not_known() -> None:
    inbox = Inbox()
    inbox.take(known(), incomplete_order())
    (first,) = inbox.until("12:00:00")
    inbox.until("14:00:00")

    (second,) = inbox.take(completed_order())

    assert first.payload[0].details == ("2 A book", "3 p2")
    assert (second.payload[0].kind, second.payload[0].details) == ("order_completed", ("3 A lamp",))
    assert (second.payload[0].happened_at, second.event_time) == (event_time("12:00:00"), event_time("14:00:00"))


def test_a_second_revision_that_only_knows_the_customer_better_tells_nothing() -> None:
    inbox = Inbox()
    inbox.take(known(), order(complete=False, missing=("customer:customer-1",)))
    inbox.until("12:00:00")

    inbox.take(order(revision=2))
    inbox.until("13:00:00")

    assert len(inbox.messages) == 1
    assert inbox.dropped == ["nothing_new"]


def test_a_second_revision_in_time_completes_a_confirmation_that_is_still_held() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), incomplete_order(at="23:00:00"))
    inbox.until("2026-03-02T01:00:00Z")

    inbox.take(completed_order(at="23:00:00"))
    (message,) = inbox.until("2026-03-02T07:00:00Z")

    assert (message.payload[0].kind, message.payload[0].details) == ("order_confirmed", ("2 A book", "3 A lamp"))
    assert message.payload[0].occasion_id == "o1-1"


def test_of_revisions_out_of_order_the_later_one_confirms_and_the_earlier_one_is_dropped() -> None:
    inbox = Inbox()
    inbox.take(known(), completed_order(), incomplete_order())

    (message,) = inbox.until("12:00:00")

    assert (message.payload[0].kind, message.payload[0].details) == ("order_confirmed", ("2 A book", "3 A lamp"))
    assert inbox.dropped == ["repeated"]


def test_beyond_the_limit_one_digest_follows_when_the_hour_of_the_first_message_is_over() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute}", f"12:0{minute}:00") for minute in range(1, 6)))

    inbox.until("13:00:59")
    assert told(inbox.messages) == [["order_confirmed o1"], ["order_confirmed o2"]]
    (digest,) = inbox.until("13:01:00")

    assert (digest.template, digest.event_time) == ("digest", event_time("13:01:00"))
    assert [each.subject_id for each in digest.payload] == ["o3", "o4", "o5"]
    assert "limit of 2 messages an hour" in digest.reason
    assert told(inbox.until("15:00:00")) == []


def test_a_digest_tells_the_oldest_first_and_has_the_id_of_what_it_tells() -> None:
    def digest(*held: str) -> Notification:
        inbox = Inbox(HOUR_LIMIT_2)
        inbox.take(known(), order("first", "11:00:00"), order("next", "11:00:01"))
        inbox.until("11:30:00")
        for number, each in enumerate(held):
            inbox.take(order(each, f"11:0{9 - number}:00"))
        return inbox.until("13:00:00")[-1]

    message = digest("a", "b", "c")

    assert [each.subject_id for each in message.payload] == ["c", "b", "a"]
    # These are told in the same order, and are others.
    assert digest("d", "e", "f").event_id != message.event_id
    assert digest("c", "b", "a").event_id == message.event_id


def test_two_recipients_of_the_same_news_get_messages_of_their_own() -> None:
    def message_to(who: str) -> Notification:
        inbox = Inbox(recipient_id=who)
        return inbox.take(known(), alert())[0]

    assert message_to("c1").event_id != message_to("c2").event_id


def test_what_alone_was_held_is_told_in_its_own_words() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute}", f"12:0{minute}:00") for minute in range(1, 4)))

    message = inbox.until("13:01:00")[-1]

    assert (message.template, len(message.payload)) == ("order_confirmation", 1)


def test_a_policy_that_is_stricter_than_the_one_before_holds_for_what_was_sent_under_that() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), order("o1", "12:00:00"), order("o2", "12:10:00"))
    inbox.until("12:20:00")

    inbox.policy = msgspec.structs.replace(POLICY, messages_per_hour=1)
    inbox.take(order("o3", "12:20:00"))
    inbox.until("14:00:00")

    assert inbox.messages[-1].event_time == event_time("13:10:00")


def test_a_digest_counts_as_one_message() -> None:
    inbox = Inbox(HOUR_LIMIT_2)
    inbox.take(known(), *(order(f"o{minute:02}", f"12:{minute:02}:00") for minute in range(10)))
    inbox.until("13:00:00")

    inbox.take(order("p1", "13:00:30"), order("p2", "13:01:30"))
    inbox.until("13:02:00")

    assert [len(each.payload) for each in inbox.messages] == [1, 1, 8, 1]
    assert inbox.messages[-1].event_time == event_time("13:01:00")


def test_warnings_pass_quiet_hours_the_limit_and_an_opt_out_and_do_not_count() -> None:
    policy = msgspec.structs.replace(DEFAULT, messages_per_hour=1)
    inbox = Inbox(policy)
    inbox.take(known(notifications_opt_out=True))

    for number in range(5):
        inbox.take(alert(f"case-{number}", "23:30:00"))
    inbox.take(known("23:40:00", lsn=2), order(at="23:50:00"))
    inbox.until("2026-03-02T07:00:00Z")

    assert [each.template for each in inbox.messages] == ["fraud_warning"] * 5 + ["order_confirmation"]


def test_quiet_hours_hold_until_morning_where_the_recipient_is() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(time_zone="America/New_York"))
    inbox.take(order("o1", "2026-03-02T02:59:59Z"), order("o2", "2026-03-02T03:00:00Z"))

    inbox.until("2026-03-02T12:59:59Z")
    assert told(inbox.messages) == [["order_confirmed o1"]]
    (message,) = inbox.until("2026-03-02T13:00:00Z")

    assert message.event_time == event_time("2026-03-02T13:00:00Z")
    assert "quiet hours, 22:00 to 08:00 in America/New_York" in message.reason


def test_a_time_zone_that_does_not_exist_is_utc_and_said_to_be() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(time_zone="Europe/Atlantis"), order(at="21:59:00"))

    (message,) = inbox.until("21:59:00")

    assert message.time_zone == "UTC"
    assert "no time zone 'Europe/Atlantis', so UTC" in message.reason


def test_what_waits_goes_out_later_if_it_is_night_where_the_recipient_is_by_then() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), order(at="22:30:00"))
    inbox.until("23:00:00")

    inbox.take(known("23:00:00", lsn=2, time_zone="America/New_York"))
    (message,) = inbox.until("2026-03-02T20:00:00Z")

    assert message.event_time == event_time("2026-03-02T13:00:00Z")


def test_who_opted_out_gets_no_order_confirmed() -> None:
    inbox = Inbox()
    inbox.take(known(notifications_opt_out=True), order())
    inbox.until("13:00:00")

    assert (inbox.messages, inbox.dropped) == ([], ["opted_out"])


def test_an_opt_out_holds_from_its_time_whenever_it_comes() -> None:
    inbox = Inbox()
    inbox.take(order("before", "12:00:00"), order("after", "12:10:00"))
    inbox.take(known("12:05:00", lsn=2, notifications_opt_out=True), known())

    inbox.until("13:00:00")

    assert told(inbox.messages) == [["order_confirmed before"]]


def test_an_older_version_that_comes_later_never_overwrites() -> None:
    inbox = Inbox()
    inbox.until("11:00:00")
    inbox.take(known("10:00:00", lsn=7, email="new@example.org"), known("09:00:00", lsn=3, email="old@example.org"))

    inbox.take(alert(), order())
    inbox.until("13:00:00")

    assert {each.address for each in inbox.messages} == {"new@example.org"}


def test_a_version_with_a_later_time_but_an_older_lsn_never_holds() -> None:
    inbox = Inbox()
    inbox.take(known("10:00:00", lsn=7, email="new@example.org"), known("11:00:00", lsn=3, email="old@example.org"))

    inbox.take(order())
    inbox.until("13:00:00")

    assert [each.address for each in inbox.messages] == ["new@example.org"]


def test_a_version_that_never_holds_is_not_kept_whichever_comes_first() -> None:
    never, holds = known("11:00:00", lsn=3), known("10:00:00", lsn=7)

    for versions in ((never, holds), (holds, never), (holds, holds)):
        inbox = Inbox()
        inbox.take(*versions)
        assert inbox.recipient.contacts == (holds,)


def test_a_version_that_another_has_taken_the_place_of_is_forgotten() -> None:
    inbox = Inbox()
    inbox.take(known("10:00:00"))
    inbox.until("11:00:00")

    inbox.take(newer := known("10:30:00", lsn=2))

    assert inbox.recipient.contacts == (newer,)


def test_what_is_not_critical_goes_to_the_address_of_its_time_and_a_warning_to_the_newest() -> None:
    inbox = Inbox()
    inbox.take(known(), known("12:30:00", lsn=2, email="new@example.org"))

    inbox.take(order(), alert())
    inbox.until("13:00:00")

    assert {each.template: each.address for each in inbox.messages} == {
        "order_confirmation": "customer-1@example.org",
        "fraud_warning": "new@example.org",
    }


def test_who_was_deleted_gets_nothing_more_not_even_what_was_held() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known(), order("o1", "22:30:00"), order("o2", "22:31:00"))
    inbox.until("23:00:00")

    inbox.take(known("23:00:00", lsn=2, deleted=True), alert(at="23:30:00"), order("o3", "23:30:00"))
    inbox.until("2026-03-02T12:00:00Z")

    assert (inbox.messages, inbox.rejected) == ([], [])
    assert inbox.dropped == ["deleted"] * 4


def test_a_deleted_customer_is_forgotten_in_the_end() -> None:
    inbox = Inbox()
    inbox.take(known(), known("12:00:00", lsn=2, deleted=True))

    inbox.until("12:00:00")
    assert inbox.recipient != NOBODY
    inbox.until(event_time("12:00:00") + REMEMBERED_MS)

    assert inbox.recipient == NOBODY


def test_what_happens_before_the_customer_is_known_waits_for_that() -> None:
    inbox = Inbox()
    inbox.take(order(), alert())
    inbox.until("12:30:00")
    assert inbox.messages == []

    (warning,) = inbox.take(known("12:40:00"))
    (confirmation,) = inbox.until("12:40:00")

    assert (warning.template, warning.event_time) == ("fraud_warning", event_time("12:40:00"))
    assert confirmation.event_time == event_time("12:40:00")


def test_of_an_order_that_waits_for_its_customer_only_the_last_revision_is_told_as_its_confirmation() -> None:
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


def test_what_waits_too_long_for_its_customer_becomes_a_dead_letter() -> None:
    inbox = Inbox()
    inbox.take(order(), alert())

    inbox.until("2026-03-02T11:59:59Z")
    assert inbox.rejected == []
    inbox.until("2026-03-02T12:00:00Z")

    assert [record.topic for record, _ in inbox.rejected] == ["fraud-alerts", "enriched-orders"]
    assert all("customer-1 isn't known, within 24 hours" in reason for _, reason in inbox.rejected)
    assert inbox.recipient == NOBODY


def test_a_customer_who_is_known_only_after_that_comes_too_late() -> None:
    inbox = Inbox()
    inbox.take(order(), known("2026-03-02T12:00:00.001Z"))

    inbox.until("2026-03-02T13:00:00Z")

    assert (len(inbox.rejected), inbox.messages) == (1, [])


def test_a_dead_letter_that_is_sent_again_counts_as_new() -> None:
    inbox = Inbox()
    inbox.take(order())
    inbox.until("2026-03-02T12:00:00Z")

    inbox.take(known("2026-03-02T11:00:00Z"), order())
    inbox.until("2026-03-02T13:00:00Z")

    assert told(inbox.messages) == [["order_confirmed o1"]]


def test_the_same_news_give_the_same_ids_and_other_news_others() -> None:
    def ids(*more: str) -> list[str]:
        inbox = Inbox()
        inbox.take(known(), *(order(each) for each in ("o1", "o2", *more)), alert())
        inbox.until("13:00:00")
        return [each.event_id for each in inbox.messages]

    assert ids() == ids()
    assert len({*ids("o3")}) == 4
    assert {*ids()} < {*ids("o3")}


def test_what_comes_after_its_time_is_decided_at_once_as_of_then() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known())
    inbox.until("21:30:00")

    inbox.take(order(at="12:00:00"))
    assert inbox.messages == []
    (message,) = inbox.until("2026-03-02T07:00:00Z")

    assert message.payload[0].happened_at == event_time("12:00:00")


def test_details_are_cut_to_what_a_message_takes() -> None:
    lines = tuple(enriched_line(number, name="x" * 500) for number in range(1, 13))
    inbox = Inbox()
    inbox.take(known(), order(lines=lines))

    (message,) = inbox.until("12:00:00")

    details = message.payload[0].details
    assert len(details) == notifications.MOST_DETAILS
    assert len(details[0]) == notifications.LONGEST_DETAIL
    assert details[-1] == "… +3"


def test_a_name_is_cut_to_what_a_message_takes() -> None:
    inbox = Inbox()

    (message,) = [*inbox.take(known(name="x" * 500)), *inbox.take(alert())]

    assert message.recipient_name == "x" * notifications.LONGEST_NAME


def test_of_more_lines_than_are_remembered_as_unnamed_the_rest_is_not_told_later() -> None:
    numbers = range(1, notifications.MOST_UNNAMED + 2)
    inbox = Inbox()
    inbox.take(known(), order(lines=tuple(enriched_line(number, name=None) for number in numbers)))
    inbox.until("12:00:00")

    (told_state,) = inbox.recipient.told

    assert told_state.unnamed == tuple(numbers)[: notifications.MOST_UNNAMED]


def test_as_many_as_may_be_held_go_out_at_once() -> None:
    inbox = Inbox(NIGHT)
    inbox.take(known())
    for number in range(notifications.MOST_HELD + 1):
        inbox.take(order(f"o{number}", f"23:00:{number % 60:02}"))
        inbox.until(f"23:00:{number % 60:02}")

    (digest,) = inbox.messages

    assert len(digest.payload) == notifications.MOST_HELD
    assert f"{notifications.MOST_HELD} are as many as wait" in digest.reason
    assert len(inbox.recipient.held) == 1


def test_of_more_than_wait_for_a_customer_the_oldest_becomes_a_dead_letter() -> None:
    inbox = Inbox()

    for number in range(notifications.MOST_UNSETTLED + 2):
        inbox.take(alert(f"case-{number}"))

    assert len(inbox.recipient.unsettled) == notifications.MOST_UNSETTLED
    assert len(inbox.rejected) == 2
    assert "later records wait for the same one" in inbox.rejected[0][1]


def test_of_more_than_are_ahead_of_event_time_the_earliest_is_decided_at_once() -> None:
    inbox = Inbox()
    inbox.take(known())

    for number in reversed(range(notifications.MOST_QUEUED + 1)):
        inbox.take(order(f"o{number:02}", f"12:{number:02}:00"))

    assert told(inbox.messages) == [["order_confirmed o00"]]
    assert len(inbox.recipient.queue) == notifications.MOST_QUEUED


def test_of_more_than_is_remembered_the_oldest_is_forgotten() -> None:
    inbox = Inbox()
    inbox.take(known())
    for number in range(notifications.MOST_TOLD + 1):
        inbox.take(alert(f"case-{number}", f"12:{number // 60:02}:{number % 60:02}"))

    assert len(inbox.recipient.told) == notifications.MOST_TOLD
    (again,) = inbox.take(alert("case-0", "12:00:00"))
    assert again.event_id == inbox.messages[0].event_id
    assert inbox.take(alert("case-9", "12:00:09")) == []


def test_of_more_versions_than_are_kept_ahead_the_oldest_two_become_one() -> None:
    inbox = Inbox()
    inbox.take(*(known(f"{number:02}:00:00", lsn=number + 1) for number in range(notifications.MOST_VERSIONS + 1)))

    inbox.take(order(at="00:30:00"))
    (message,) = inbox.until("00:30:00")

    assert len(inbox.recipient.contacts) <= notifications.MOST_VERSIONS
    assert message.recipient_name == "customer-1 at 01:00:00"


def test_state_ends_as_the_customer_alone() -> None:
    inbox = Inbox(DEFAULT)
    inbox.take(known(), *(order(f"o{number}", f"20:0{number}:00") for number in range(9)), incomplete_order("i"))
    inbox.take(alert(), alert(step="escalated", event_id="case-1-2"))

    inbox.until(event_time("2026-03-02T08:00:00Z") + REMEMBERED_MS)

    assert inbox.recipient == msgspec.structs.replace(NOBODY, contacts=(known(),))
    assert [len(each.payload) for each in inbox.messages] == [1, 1, 1, 1, 1, 1, 6]


def test_state_survives_encoding_and_an_unknown_version_is_refused() -> None:
    inbox = Inbox(DEFAULT)
    inbox.take(known(), order(at="23:00:00"), incomplete_order("i"), alert())
    inbox.until("23:00:00")

    assert decode_recipient(encode_recipient(inbox.recipient)) == inbox.recipient
    assert decode_recipient(None) == NOBODY
    with pytest.raises(StateVersionError, match="has version 9, this job reads 1"):
        decode_recipient(b"\x09anything")


def test_an_address_that_nobody_can_write_to_is_refused() -> None:
    too_long = customer(email="x" * (LONGEST_ADDRESS + 1))

    with pytest.raises(msgspec.ValidationError, match=r"\$\.email"):
        contact(source_record(too_long))


def closing_told() -> Policy:
    rule = OccasionRule(template="fraud_warning", critical=False, sent=True)
    return msgspec.structs.replace(POLICY, occasion=POLICY.occasion | {"fraud_closed": rule})


def test_what_is_not_critical_about_fraud_is_limited_like_orders() -> None:
    inbox = Inbox(msgspec.structs.replace(closing_told(), messages_per_hour=1))
    inbox.take(known(), order(), alert(at="12:30:00", step="closed"))

    inbox.until("13:00:00")

    assert [(each.template, each.event_time) for each in inbox.messages] == [
        ("order_confirmation", event_time("12:00:00")),
        ("fraud_warning", event_time("13:00:00")),
    ]
