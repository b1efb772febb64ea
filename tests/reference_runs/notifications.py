"""Reference run of notifications: production's decisions in a plain loop, and builders for their input."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from events import CustomerVersion, EnrichedOrder, Event, FraudAlert, Notification
from tests.builders.events import customer, enriched_line, enriched_order, event_time, fraud_alert
from udfs.notifications import notification_policy
from udfs.notifications.contacts import Contact
from udfs.notifications.decisions import Decision, RecipientLogic
from udfs.notifications.input import alert_event, contact, order_event
from udfs.notifications.notification_policy import Policy
from udfs.notifications.state import NOBODY, Recipient, RecipientEvent
from udfs.source_records import SourceRecord

DEFAULT = notification_policy.parse(notification_policy.default_text())
POLICY = msgspec.structs.replace(DEFAULT, quiet_hours=None, messages_per_hour=100)
"""The default policy without quiet hours, with a limit that no test reaches."""
RECIPIENT_ID = "customer-1"
BEGINNING = -(2**63)
"""Watermark before the first record."""
THE_END = 2**62
"""Watermark after the last record."""


def source_record(event: Event, topic: str = "enriched-orders", offset: int = 0) -> SourceRecord:
    """Return the Kafka record of an event."""
    return SourceRecord(
        topic=topic,
        partition=0,
        offset=offset,
        event_time=event.event_time,
        key=b"k",
        headers={},
        payload=msgspec.json.encode(event),
    )


def order(order_id: str = "o1", at: str = "12:00:00", revision: int = 1, **more: Any) -> RecipientEvent:
    """Return an order of two books at 20 euros each."""
    return order_event(source_record(enriched_order(order_id, at, revision, **more)))


def incomplete_order(order_id: str = "o1", at: str = "12:00:00", **more: Any) -> RecipientEvent:
    """Return an order of two books and three pieces of `p2`, an unknown product."""
    lines = (enriched_line(), enriched_line(2, "p2", 3, name=None))
    return order(order_id, at, lines=lines, complete=False, missing=("product:p2",), **more)


def completed_order(order_id: str = "o1", at: str = "12:00:00") -> RecipientEvent:
    """Return the second revision of `incomplete_order`: `p2` is a lamp."""
    return order(order_id, at, revision=2, lines=(enriched_line(), enriched_line(2, "p2", 3, name="A lamp")))


def alert(event_id: str = "case-1-1", at: str = "12:00:00", step: str = "opened", **more: Any) -> RecipientEvent:
    """Return a step of a fraud case with one broken rule."""
    event = fraud_alert(event_id, at, event_type=f"fraud_alert.{step}", **more)
    return alert_event(source_record(event, "fraud-alerts"))


def known(at: str = "00:00:00", lsn: int = 1, **more: Any) -> Contact:
    """Return a version of a customer in Berlin."""
    return contact(source_record(customer(RECIPIENT_ID, at, lsn, **more), "db-changes.customers"))


@dataclass
class Inbox:
    """State and results of one recipient: takes inputs, and advances event time."""

    policy: Policy = POLICY
    recipient_id: str = RECIPIENT_ID
    recipient: Recipient = NOBODY
    now: int = BEGINNING
    messages: list[Notification] = field(default_factory=list)
    rejected: list[tuple[SourceRecord, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def take(self, *inputs: RecipientEvent | Contact) -> list[Notification]:
        """Process events and versions in this order; return the messages sent at once."""
        before = len(self.messages)
        for each in inputs:
            if isinstance(each, RecipientEvent):
                self._keep(self._logic().on_event(each, self.now))
            else:
                self._keep(self._logic().on_customer(each, self.now))
        return self.messages[before:]

    def until(self, at: str | int) -> list[Notification]:
        """Advance event time, timer by timer; return the messages sent."""
        self.now = event_time(at) if isinstance(at, str) else at
        before = len(self.messages)
        while (due := self.recipient.next_at) is not None and due <= self.now:
            self._keep(self._logic().on_timer(due))
        return self.messages[before:]

    def pass_time(self, at: int) -> None:
        """Advance event time in one step, as if timers before it had not fired."""
        self._keep(self._logic().on_timer(at))

    def _logic(self) -> RecipientLogic:
        return RecipientLogic(self.policy, self.recipient_id, self.recipient)

    def _keep(self, decision: Decision) -> None:
        self.recipient = decision.recipient
        self.messages += decision.notifications
        self.rejected += decision.rejected
        self.dropped += decision.dropped


def occasions(messages: list[Notification]) -> list[list[str]]:
    """Return the occasions of each message, as `kind subject`."""
    return [[f"{each.kind} {each.subject_id}" for each in message.payload] for message in messages]


def inboxes(policy: Policy, events: Iterable[Event], until: int = THE_END) -> list[Inbox]:
    """Process events by event time, none of them late; return an inbox for each recipient."""
    found: dict[str, Inbox] = {}
    for event in events:
        record = source_record(event)
        match event:
            case CustomerVersion(customer_id=recipient_id):
                taken: RecipientEvent | Contact = contact(record)
            case FraudAlert(customer_id=recipient_id):
                taken = alert_event(record)
            case EnrichedOrder(customer_id=recipient_id):
                taken = order_event(record)
            case _:
                raise AssertionError(f"not an input of notifications: {event}")
        inbox = found.setdefault(recipient_id, Inbox(policy, recipient_id))
        inbox.until(event.event_time - 1)
        inbox.take(taken)
    for inbox in found.values():
        inbox.until(until)
    return list(found.values())


def loop_over(policy: Policy, events: Iterable[Event], until: int = THE_END) -> list[Notification]:
    """Return all messages of `inboxes`."""
    return [message for inbox in inboxes(policy, events, until) for message in inbox.messages]
