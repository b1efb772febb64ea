"""Decides which messages one recipient gets, and when, from events and versions of the customer. Knows no Flink.

Warnings are decided on arrival. Everything else is decided in order of event time, once the watermark has passed it:
decisions depend on event times alone, whatever the order of arrival, so a restart or a replay of the topics decides the
same. A late event is decided at once, as of that time. docs/notifications.md lists the guarantees.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from events import Notification, Occasion
from udfs.notifications.contacts import Contact, valid_at, with_version, without_replaced
from udfs.notifications.messages import in_words, occasion
from udfs.notifications.notification_policy import Policy
from udfs.notifications.schedule import MessageSchedule
from udfs.notifications.state import (
    HOUR_MS,
    MOST_AWAITING_CUSTOMER,
    MOST_QUEUED,
    MOST_SENT_RECORDS,
    MOST_UNNAMED,
    PendingEvent,
    Recipient,
    RecipientEvent,
    SentRecord,
)
from udfs.source_records import SourceRecord

Dropped = Literal["repeated", "switched_off", "opted_out", "deleted", "nothing_new"]
"""Why nothing is sent although nothing is wrong."""


@dataclass(frozen=True)
class Decision:
    """Result of one input."""

    recipient: Recipient
    notifications: tuple[Notification, ...] = ()
    rejected: tuple[tuple[SourceRecord, str], ...] = ()
    """Records that become dead letters, with the reason."""
    dropped: tuple[Dropped, ...] = ()
    """One reason for each occasion that isn't sent."""


class RecipientLogic:
    """Decides one input of one recipient: an event, a version of the customer, or a timer."""

    def __init__(self, policy: Policy, recipient_id: str, before: Recipient) -> None:
        self._policy = policy
        self._recipient_id = recipient_id
        self._contacts = before.contacts
        self._queue = before.queue
        self._awaiting_customer = before.awaiting_customer
        self._sent_records = before.sent_records
        self._schedule = MessageSchedule(policy, recipient_id, before)
        self._rejected: list[tuple[SourceRecord, str]] = []
        self._dropped: list[Dropped] = []

    def on_event(self, event: RecipientEvent, now: int) -> Decision:
        """Decide a warning at once, and queue any other event.

        Args:
            now: the watermark: all events before it have been received, unless they are late.
        """
        pending = PendingEvent(due_at=max(event.happened_at, now), event=event)
        if not self._is_sent(event):
            self._dropped.append("switched_off")
        elif not self._remember_new(pending):
            self._dropped.append("repeated")
        elif self._is_warning(event):
            self._warn(pending, event.happened_at)
        else:
            self._enqueue(pending)
        return self._decision(now)

    def on_customer(self, contact: Contact, now: int) -> Decision:
        """Add a version of the customer, and send warnings that waited for one; `now` as in `on_event`."""
        contacts = with_version(self._contacts, contact)
        if contacts != self._contacts:
            self._contacts = contacts
            warnings = [each for each in self._awaiting_customer if self._is_warning(each.event)]
            self._awaiting_customer = tuple(each for each in self._awaiting_customer if each not in warnings)
            for each in warnings:
                self._warn(each, max(each.event.happened_at, contact.valid_from))
        return self._decision(now)

    def on_timer(self, now: int) -> Decision:
        """Advance the recipient to `now`: release held messages, end waits for the customer."""
        return self._decision(now)

    def _decision(self, now: int) -> Decision:
        """Do everything that is due at `now`, and return the result."""
        while (due_at := self._next_at()) is not None and due_at <= now:
            self._advance_to(due_at)
        schedule = self._schedule
        recipient = Recipient(
            contacts=without_replaced(self._contacts, now),
            queue=self._queue,
            awaiting_customer=self._awaiting_customer,
            held=schedule.held,
            release_at=schedule.release_at,
            sent_at=schedule.sent_at,
            sent_records=self._sent_records,
            next_at=due_at,
        )
        return Decision(recipient, tuple(schedule.notifications), tuple(self._rejected), tuple(self._dropped))

    def _next_at(self) -> int | None:
        """Return the event time of the next `_advance_to` that would change anything; None if there is none."""
        moments = []
        if self._queue:
            moments.append(self._queue[0].due_at)
        if self._awaiting_customer:
            moments.append(min(map(self._wait_ends_at, self._awaiting_customer)))
        if self._schedule.held:
            moments.append(self._schedule.release_at)
        # The time at which the last of them expires: one timer for all, since none of them matters once it has expired.
        expiries = [each.until for each in self._sent_records]
        if self._schedule.sent_at:
            expiries.append(self._schedule.sent_at[-1] + HOUR_MS)
        if expiries:
            moments.append(max(expiries))
        if self._contacts and self._contacts[-1].deleted:
            moments.append(self._contacts[-1].valid_from + self._remembered_ms())
        return min(moments, default=None)

    def _advance_to(self, moment: int) -> None:
        """Do everything that is due at this event time; what was due before must be done already."""
        self._end_waits(moment)
        if self._schedule.is_release_due(moment):
            self._release(moment)
        due = [each for each in self._queue if each.due_at <= moment]
        self._queue = self._queue[len(due) :]
        for each in due:
            self._decide(each.event, each.due_at)
        self._forget_expired(moment)

    def _is_sent(self, event: RecipientEvent) -> bool:
        return self._policy.occasion["order_confirmed" if event.kind == "order" else event.kind].sent

    def _is_warning(self, event: RecipientEvent) -> bool:
        return event.kind != "order" and self._policy.occasion[event.kind].critical

    def _remembered_ms(self) -> int:
        return self._policy.remembered_hours * HOUR_MS

    def _enqueue(self, pending: PendingEvent) -> None:
        first, *others = sorted((*self._queue, pending), key=_turn)
        if len(others) < MOST_QUEUED:
            self._queue = (first, *others)
        else:
            self._queue = tuple(others)
            self._decide(first.event, first.due_at)

    def _warn(self, pending: PendingEvent, moment: int) -> None:
        """Send a warning at once, to the newest known address."""
        event = pending.event
        if not self._contacts:
            self._wait_for_customer(pending)
        elif self._contacts[-1].deleted:
            self._dropped.append("deleted")
        else:
            warning = occasion(event, event.kind, event.lines)  # type: ignore[arg-type]
            self._schedule.send_warning(warning, moment, self._contacts[-1])

    def _decide(self, event: RecipientEvent, moment: int) -> None:
        """Decide an event that isn't critical: wait for the customer, drop, hold or send it."""
        contact = valid_at(self._contacts, moment)
        if contact is None:
            self._wait_for_customer(PendingEvent(due_at=moment, event=event))
        elif contact.deleted:
            self._dropped.append("deleted")
        elif contact.opted_out:
            self._dropped.append("opted_out")
        elif event.kind != "order":
            self._schedule.hold_or_send(occasion(event, event.kind, event.lines), moment, contact)
        elif found := self._occasion_of_order(event):
            self._schedule.hold_or_send(found, moment, contact)

    def _occasion_of_order(self, event: RecipientEvent) -> Occasion | None:
        """Return the occasion to send for an order's revision; None if there is nothing to send."""
        key = event.key()
        known = self._sent_record(key) or SentRecord(
            key=key, until=event.happened_at + self._remembered_ms(), seen=event.revision
        )
        unnamed = tuple(line.number for line in event.lines if not line.known)[:MOST_UNNAMED]
        self._remember(msgspec.structs.replace(known, decided=event.revision, unnamed=unnamed))
        if not known.decided:
            return occasion(event, "order_confirmed", event.lines)
        if self._schedule.complete_held(event):
            return None
        named = tuple(line for line in event.lines if line.known and line.number in known.unnamed)
        if not named:
            self._dropped.append("nothing_new")
        elif not self._policy.occasion["order_completed"].sent:
            self._dropped.append("switched_off")
        else:
            return occasion(event, "order_completed", named)
        return None

    def _release(self, moment: int) -> None:
        """Release held messages, unless the customer has opted out or been deleted."""
        contact = valid_at(self._contacts, moment)
        if contact is None or contact.deleted:
            self._dropped += ["deleted"] * self._schedule.discard_held()
        elif contact.opted_out:
            self._dropped += ["opted_out"] * self._schedule.discard_held()
        else:
            self._schedule.release(moment, contact)

    def _wait_for_customer(self, pending: PendingEvent) -> None:
        # Of an order only the last revision waits: it contains all that the others do, and is sent like the first one.
        order = [each for each in self._awaiting_customer if each.event.key() == pending.event.key()]
        if order:
            first = order[0]
            event = msgspec.structs.replace(pending.event, event_id=first.event.event_id)
            pending = PendingEvent(due_at=first.due_at, event=event)
        awaiting = [*(each for each in self._awaiting_customer if each not in order), pending]
        if len(awaiting) > MOST_AWAITING_CUSTOMER:
            self._reject(awaiting.pop(0), f"and {MOST_AWAITING_CUSTOMER} later records wait for the same customer")
        self._awaiting_customer = tuple(awaiting)

    def _wait_ends_at(self, pending: PendingEvent) -> int:
        """Return when waiting for the customer ends: the first version becomes valid, or the time limit is reached."""
        limit = pending.due_at + self._policy.wait_for_customer_hours * HOUR_MS
        known_at = self._contacts[0].valid_from if self._contacts else limit
        return min(max(known_at, pending.due_at), limit)

    def _end_waits(self, moment: int) -> None:
        ended = [each for each in self._awaiting_customer if self._wait_ends_at(each) <= moment]
        self._awaiting_customer = tuple(each for each in self._awaiting_customer if each not in ended)
        for each in ended:
            if valid_at(self._contacts, moment) is None:
                hours = self._policy.wait_for_customer_hours
                self._reject(each, f"within {hours} hours of {in_words(each.due_at)}")
            else:
                self._decide(each.event, moment)

    def _reject(self, pending: PendingEvent, details: str) -> None:
        reason = f"the customer {self._recipient_id} isn't known, {details}"
        self._rejected.append((pending.event.record, reason))
        # Forget it, so that it isn't a duplicate when its dead letter is replayed.
        key = pending.event.key()
        self._sent_records = tuple(each for each in self._sent_records if each.key != key)

    def _remember_new(self, pending: PendingEvent) -> bool:
        """Remember a received event; return whether it is new."""
        key, revision = pending.event.key(), pending.event.revision
        known = self._sent_record(key)
        if known and known.seen >= revision:
            return False
        until = pending.due_at + self._remembered_ms()
        record = known or SentRecord(key=key, until=until, seen=revision)
        self._remember(msgspec.structs.replace(record, until=until, seen=revision))
        return True

    def _sent_record(self, key: bytes) -> SentRecord | None:
        return next((each for each in self._sent_records if each.key == key), None)

    def _remember(self, record: SentRecord) -> None:
        others = [each for each in self._sent_records if each.key != record.key]
        if len(others) >= MOST_SENT_RECORDS:
            others.remove(min(others, key=lambda each: each.until))
        self._sent_records = (*others, record)

    def _forget_expired(self, moment: int) -> None:
        self._sent_records = tuple(each for each in self._sent_records if each.until > moment)
        self._schedule.forget_sent(moment)
        newest = self._contacts[-1] if self._contacts else None
        if newest and newest.deleted and newest.valid_from + self._remembered_ms() <= moment:
            self._contacts = ()


def _turn(pending: PendingEvent) -> tuple[int, int, str, int, str]:
    """Return the sort key of the order in which events are decided."""
    event = pending.event
    return pending.due_at, event.happened_at, event.subject_id, event.revision, event.event_id
