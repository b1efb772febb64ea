"""The demo's proof of what was told: it must not hold when somebody isn't told without a reason, or in spite of one."""

from dataclasses import replace

import msgspec
import pytest

from events import EnrichedOrder, Notification, Occasion
from local.demo.checks.notifications import Told, findings, news_of
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


def told(
    *notifications: Notification,
    row: CustomerRow = CUSTOMER,
    is_deleted: bool = False,
    orders: tuple[EnrichedOrder, ...] = (ORDER,),
) -> Told:
    """An order, a warning and its end, about one customer; `notifications` are what was told of it."""
    news = news_of([WARNING, CLOSED], orders, SEEN_BY)
    return Told(POLICY, news, notifications, {"customer-1": [Version(None, row, is_deleted)]})


def broken(what: Told, *mailed: str) -> list[str]:
    mails = mailed or tuple({each.event_id: None for each in what.notifications})
    return [finding.claim for finding in findings(what, mails) if not finding.holds]


def test_all_claims_hold_when_the_order_and_the_warning_are_told_and_mailed() -> None:
    right = told(CONFIRMATION, FRAUD)

    assert broken(right) == []
    assert right.reasons == {"not sent by the policy": 1}


@pytest.mark.parametrize("only", [CONFIRMATION, FRAUD])
def test_what_was_not_told_without_a_reason_is_found(only: Notification) -> None:
    assert broken(told(only)) == ["each alert and order is told, or the policy says why not"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (msgspec.structs.replace(CUSTOMER, notifications_opt_out=True), "opted out"),
        (msgspec.structs.replace(CUSTOMER, time_zone="Asia/Tokyo", name="Bo"), ""),
        (msgspec.structs.replace(CUSTOMER, time_zone="America/Los_Angeles"), "held until morning"),
    ],
    ids=["opted out", "nine in the evening", "four in the morning"],
)
def test_an_order_need_not_be_told_to_those_who_opted_out_or_are_asleep(row: CustomerRow, reason: str) -> None:
    assert told(FRAUD, row=row).untold["o1-1"] == reason


@pytest.mark.parametrize(
    "row",
    [
        msgspec.structs.replace(CUSTOMER, notifications_opt_out=True),
        msgspec.structs.replace(CUSTOMER, time_zone="America/Los_Angeles"),
    ],
    ids=["opted out", "asleep"],
)
def test_whoever_is_told_of_an_order_but_opted_out_or_is_asleep_is_found(row: CustomerRow) -> None:
    assert broken(told(CONFIRMATION, FRAUD, row=row)) == ["nobody is told who opted out or is asleep, unless of fraud"]


def test_a_warning_must_reach_also_those_who_opted_out() -> None:
    row = msgspec.structs.replace(CUSTOMER, notifications_opt_out=True)

    assert told(row=row).unexplained == ["case-1-1"]


def test_a_customer_who_is_gone_need_not_be_told() -> None:
    assert broken(told(is_deleted=True)) == []


def test_somebody_who_is_not_known_yet_is_waited_for() -> None:
    nobody = replace(told(), customers={})

    assert nobody.reasons == {"waiting for the customer": 2, "not sent by the policy": 1}


def test_what_comes_on_top_of_the_limit_waits() -> None:
    hour = [message(f"n{number}", occasion(occasion_id=f"o{number}-1"), at="11:30:00") for number in range(5, 8)]

    assert told(FRAUD, *hour).untold["o1-1"] == "held by the limit"
    assert told(FRAUD, *hour[:2]).untold["o1-1"] == ""


def test_a_second_revision_that_says_nothing_new_need_not_be_told() -> None:
    of_a_stranger = msgspec.structs.replace(ORDER, complete=False, customer_name=None, missing=("customer:customer-1",))
    of_a_product = msgspec.structs.replace(ORDER, complete=False, missing=("product:product-1",))
    second = msgspec.structs.replace(ORDER, event_id="o1-2", revision=2)

    assert told(CONFIRMATION, FRAUD, orders=(of_a_stranger, second)).untold["o1-2"] == "nothing new"
    assert told(CONFIRMATION, FRAUD, orders=(of_a_product, second)).untold["o1-2"] == ""


def test_what_is_told_in_two_messages_is_found() -> None:
    again = message("n3", occasion(occasion_id="o1-1"))

    assert broken(told(CONFIRMATION, FRAUD, again)) == ["nothing is told twice"]


def test_a_message_of_what_never_happened_is_found() -> None:
    invented = message("n3", occasion(occasion_id="o7-1"))

    assert broken(told(CONFIRMATION, FRAUD, invented)) == ["each alert and order is told, or the policy says why not"]


@pytest.mark.parametrize("mailed", [("n1",), ("n1", "n2", "n3"), ("n1", "n2", "n2")], ids=["less", "more", "twice"])
def test_a_mail_too_few_or_too_many_is_found(mailed: tuple[str, ...]) -> None:
    assert broken(told(CONFIRMATION, FRAUD), *mailed) == ["notifications = mails, by id; copies by lost answers only"]


def test_a_revision_that_still_lacks_the_same_product_need_not_be_told_and_the_one_that_names_it_must() -> None:
    first = msgspec.structs.replace(ORDER, complete=False, missing=("product:product-1",))
    corrected = msgspec.structs.replace(first, event_id="o1-2", revision=2, customer_tier="gold")
    last = msgspec.structs.replace(ORDER, event_id="o1-3", revision=3)

    what = told(CONFIRMATION, FRAUD, orders=(first, corrected, last))

    assert what.untold == {"case-1-2": "not sent by the policy", "o1-2": "nothing new", "o1-3": ""}
