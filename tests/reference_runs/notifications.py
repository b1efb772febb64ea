"""Reference run of the notifications: builders of its input, and a loop that lets event time pass."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from events import CustomerVersion, EnrichedOrder, Event, FraudAlert, Notification
from tests.builders.events import customer, enriched_line, enriched_order, event_time, fraud_alert
from udfs.notifications import notification_policy
from udfs.notifications.decisions import NOBODY, Contact, Decision, News, Recipient, hear, learn, pass_time
from udfs.notifications.input import alert_news, contact, order_news
from udfs.notifications.notification_policy import Policy
from udfs.source_records import SourceRecord

DEFAULT = notification_policy.parse(notification_policy.default_text())
POLICY = msgspec.structs.replace(DEFAULT, quiet_hours=None, messages_per_hour=100)
"""The default policy without quiet hours and, for all that tests do, without a limit."""
WHO = "customer-1"
BEGINNING = -(2**63)
"""Event time before anything has come."""
THE_END = 2**62
"""Event time when nothing will come any more."""


def source_record(event: Event, topic: str = "enriched-orders", offset: int = 0) -> SourceRecord:
    """The record that holds the event."""
    return SourceRecord(
        topic=topic,
        partition=0,
        offset=offset,
        event_time=event.event_time,
        key=b"k",
        headers={},
        payload=msgspec.json.encode(event),
    )


def order(order_id: str = "o1", at: str = "12:00:00", revision: int = 1, **more: Any) -> News:
    """Two books at 20 euros each."""
    return order_news(source_record(enriched_order(order_id, at, revision, **more)))


def incomplete_order(order_id: str = "o1", at: str = "12:00:00", **more: Any) -> News:
    """Two books, and three pieces of `p2`, which isn't known yet."""
    lines = (enriched_line(), enriched_line(2, "p2", 3, name=None))
    return order(order_id, at, lines=lines, complete=False, missing=("product:p2",), **more)


def completed_order(order_id: str = "o1", at: str = "12:00:00") -> News:
    """The same, when `p2` is known: a lamp."""
    return order(order_id, at, revision=2, lines=(enriched_line(), enriched_line(2, "p2", 3, name="A lamp")))


def alert(event_id: str = "case-1-1", at: str = "12:00:00", step: str = "opened", **more: Any) -> News:
    """One rule was broken."""
    event = fraud_alert(event_id, at, event_type=f"fraud_alert.{step}", **more)
    return alert_news(source_record(event, "fraud-alerts"))


def known(at: str = "00:00:00", lsn: int = 1, **more: Any) -> Contact:
    """A version of the customer, in Berlin."""
    return contact(source_record(customer(WHO, at, lsn, **more), "db-changes.customers"))


@dataclass
class Inbox:
    """One recipient: feed it, let event time pass, and look at what came of it."""

    policy: Policy = POLICY
    recipient_id: str = WHO
    recipient: Recipient = NOBODY
    now: int = BEGINNING
    messages: list[Notification] = field(default_factory=list)
    rejected: list[tuple[SourceRecord, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def take(self, *inputs: News | Contact) -> list[Notification]:
        """Feed news and versions in this order; what went out at once."""
        before = len(self.messages)
        for each in inputs:
            if isinstance(each, News):
                self._keep(hear(self.policy, self.recipient_id, self.recipient, each, self.now))
            else:
                self._keep(learn(self.policy, self.recipient_id, self.recipient, each, self.now))
        return self.messages[before:]

    def until(self, at: str | int) -> list[Notification]:
        """Let event time pass, timer by timer; what went out."""
        self.now = event_time(at) if isinstance(at, str) else at
        before = len(self.messages)
        while (due := self.recipient.next_at) is not None and due <= self.now:
            self._keep(pass_time(self.policy, self.recipient_id, self.recipient, due))
        return self.messages[before:]

    def pass_time(self, at: int) -> None:
        """Let event time pass as if there were no timers."""
        self._keep(pass_time(self.policy, self.recipient_id, self.recipient, at))

    def _keep(self, decision: Decision) -> None:
        self.recipient = decision.recipient
        self.messages += decision.notifications
        self.rejected += decision.rejected
        self.dropped += decision.dropped


def told(messages: list[Notification]) -> list[list[str]]:
    """What each message tells, as `kind subject`."""
    return [[f"{each.kind} {each.subject_id}" for each in message.payload] for message in messages]


def inboxes(policy: Policy, events: Iterable[Event], until: int = THE_END) -> list[Inbox]:
    """One for each recipient of events in the order of their times, none of them late."""
    found: dict[str, Inbox] = {}
    for event in events:
        record = source_record(event)
        match event:
            case CustomerVersion(customer_id=who):
                thing: News | Contact = contact(record)
            case FraudAlert(customer_id=who):
                thing = alert_news(record)
            case EnrichedOrder(customer_id=who):
                thing = order_news(record)
            case _:
                raise AssertionError(f"{event} leads to no notification")
        inbox = found.setdefault(who, Inbox(policy, who))
        inbox.until(event.event_time - 1)
        inbox.take(thing)
    for inbox in found.values():
        inbox.until(until)
    return list(found.values())


def loop_over(policy: Policy, events: Iterable[Event], until: int = THE_END) -> list[Notification]:
    """All messages of `inboxes`."""
    return [message for inbox in inboxes(policy, events, until) for message in inbox.messages]
