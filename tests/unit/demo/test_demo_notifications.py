"""The demo's check of notifications: it fails if one is missing without a reason, or was sent in spite of one."""

from dataclasses import replace

import msgspec
import pytest

from events import EnrichedOrder, Notification, Occasion
from local.demo.checks.notifications import findings
from local.oracles.unsent_notifications import Sent, candidates
from local.simulator.shop.rows import CustomerRow
from local.simulator.shop.shop_ledger import Version
from tests.builders.events import event_time, fraud_alert
from tests.builders.notifications import notification, occasion
from tests.builders.shop import customer, enriched, line, placed
from udfs.notifications import notification_policy

POLICY = notification_policy.parse(notification_policy.default_text())
SEEN_BY = event_time("12:02:00")
CUSTOMER = customer(1)
ORDER = enriched(placed("o1", "12:00:00", line(1)))
WARNING = fraud_alert("case-1-1", "12:00:00", customer_id="customer-1")
CLOSED = fraud_alert("case-1-2", "12:00:10", customer_id="customer-1", event_type="fraud_alert.closed")


def message(event_id: str, *occasions: Occasion, at: str = "12:00:20") -> Notification:
    return notification(event_id, *occasions, event_time=event_time(at))


CONFIRMATION = message("n1", occasion("order_confirmed", occasion_id="o1-1"))
FRAUD = message("n2", occasion("fraud_suspected", occasion_id="case-1-1"))


def sent(
    *notifications: Notification,
    row: CustomerRow = CUSTOMER,
    is_deleted: bool = False,
    orders: tuple[EnrichedOrder, ...] = (ORDER,),
) -> Sent:
    """An order, a warning and its end, about one customer, and the notifications that were sent of them."""
    found = candidates([WARNING, CLOSED], orders, SEEN_BY)
    return Sent(POLICY, found, notifications, {"customer-1": [Version(None, row, is_deleted)]})


def broken(what: Sent, *mailed: str) -> list[str]:
    mails = mailed or tuple({each.event_id: None for each in what.notifications})
    return [finding.claim for finding in findings(what, mails) if not finding.holds]


def test_all_checks_hold_if_order_and_warning_are_sent_and_mailed() -> None:
    right = sent(CONFIRMATION, FRAUD)

    assert broken(right) == []
    assert right.reasons == {"not sent by the policy": 1}


@pytest.mark.parametrize("only", [CONFIRMATION, FRAUD])
def test_event_unsent_without_a_reason_is_found(only: Notification) -> None:
    assert broken(sent(only)) == ["each alert and order is sent, or the policy says why not"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (msgspec.structs.replace(CUSTOMER, notifications_opt_out=True), "opted out"),
        (msgspec.structs.replace(CUSTOMER, time_zone="Asia/Tokyo", name="Bo"), ""),
        (msgspec.structs.replace(CUSTOMER, time_zone="America/Los_Angeles"), "held until morning"),
    ],
    ids=["opted out", "nine in the evening", "four in the morning"],
)
def test_order_of_a_customer_opted_out_or_asleep_may_stay_unsent(row: CustomerRow, reason: str) -> None:
    assert sent(FRAUD, row=row).unsent["o1-1"] == reason


@pytest.mark.parametrize(
    "row",
    [
        msgspec.structs.replace(CUSTOMER, notifications_opt_out=True),
        msgspec.structs.replace(CUSTOMER, time_zone="America/Los_Angeles"),
    ],
    ids=["opted out", "asleep"],
)
def test_order_sent_to_a_customer_opted_out_or_asleep_is_found(row: CustomerRow) -> None:
    assert broken(sent(CONFIRMATION, FRAUD, row=row)) == [
        "no customer who opted out or is asleep is notified, unless of fraud"
    ]


def test_unsent_warning_of_an_opted_out_customer_is_found() -> None:
    row = msgspec.structs.replace(CUSTOMER, notifications_opt_out=True)

    assert sent(row=row).unexplained == ["case-1-1"]


def test_deleted_customer_explains_unsent_events() -> None:
    assert broken(sent(is_deleted=True)) == []


def test_unknown_customer_explains_unsent_events() -> None:
    unknown = replace(sent(), customers={})

    assert unknown.reasons == {"waiting for the customer": 2, "not sent by the policy": 1}


def test_limit_of_messages_explains_an_unsent_order() -> None:
    hour = [message(f"n{number}", occasion(occasion_id=f"o{number}-1"), at="11:30:00") for number in range(5, 8)]

    assert sent(FRAUD, *hour).unsent["o1-1"] == "held by the limit"
    assert sent(FRAUD, *hour[:2]).unsent["o1-1"] == ""


def test_second_revision_without_new_names_may_stay_unsent() -> None:
    of_a_stranger = msgspec.structs.replace(ORDER, complete=False, customer_name=None, missing=("customer:customer-1",))
    of_a_product = msgspec.structs.replace(ORDER, complete=False, missing=("product:product-1",))
    second = msgspec.structs.replace(ORDER, event_id="o1-2", revision=2)

    assert sent(CONFIRMATION, FRAUD, orders=(of_a_stranger, second)).unsent["o1-2"] == "nothing new"
    assert sent(CONFIRMATION, FRAUD, orders=(of_a_product, second)).unsent["o1-2"] == ""


def test_event_in_two_messages_is_found() -> None:
    again = message("n3", occasion(occasion_id="o1-1"))

    assert broken(sent(CONFIRMATION, FRAUD, again)) == ["nothing is sent twice"]


def test_message_about_an_unknown_event_is_found() -> None:
    invented = message("n3", occasion(occasion_id="o7-1"))

    assert broken(sent(CONFIRMATION, FRAUD, invented)) == ["each alert and order is sent, or the policy says why not"]


@pytest.mark.parametrize("mailed", [("n1",), ("n1", "n2", "n3"), ("n1", "n2", "n2")], ids=["less", "more", "twice"])
def test_missing_or_additional_mail_is_found(mailed: tuple[str, ...]) -> None:
    assert broken(sent(CONFIRMATION, FRAUD), *mailed) == [
        "notifications = mails, by id; duplicates by lost answers only"
    ]


def test_only_the_revision_that_names_the_missing_product_must_be_sent() -> None:
    first = msgspec.structs.replace(ORDER, complete=False, missing=("product:product-1",))
    corrected = msgspec.structs.replace(first, event_id="o1-2", revision=2, customer_tier="gold")
    last = msgspec.structs.replace(ORDER, event_id="o1-3", revision=3)

    what = sent(CONFIRMATION, FRAUD, orders=(first, corrected, last))

    assert what.unsent == {"case-1-2": "not sent by the policy", "o1-2": "nothing new", "o1-3": ""}
