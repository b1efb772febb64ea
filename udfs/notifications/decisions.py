"""Decides which messages one recipient gets, and when, from events and versions of the customer. Knows no Flink.

Warnings are decided on arrival. All else is decided in order of event time, once the watermark has passed it: decisions
depend on event times alone, whatever the order of arrival, so a restart or a replay of the topics decides the same. A
late event is decided at once, as of that time. docs/notifications.md lists the guarantees.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from events import Notification, Occasion
from udfs.keyed_state import StateCodec
from udfs.notifications.notification_policy import Kind, Policy
from udfs.notifications.quiet_hours import quiet_until, time_zone
from udfs.source_records import SourceRecord

HOUR_MS = 3_600_000

# Limits of one recipient's state, and what happens beyond them.
MOST_QUEUED = 50
"""Events ahead of the watermark; beyond, the earliest is decided at once, as of its time."""
MOST_AWAITING_CUSTOMER = 20
"""Events of an unknown customer; beyond, the oldest becomes a dead letter."""
MOST_HELD = 50
"""Occasions that wait for the end of quiet hours or for the limit; at this number they are sent at once, as a
digest."""
MOST_SENT_RECORDS = 200
"""Remembered events; beyond, the one that expires first is forgotten, and its duplicate is sent again with the same
id."""
MOST_VERSIONS = 16
"""Versions of the customer ahead of the watermark; beyond, the second oldest replaces the oldest at once."""
MOST_UNNAMED = 100
"""Order lines without a product name; the names of further ones are not sent later."""
MOST_DETAILS = 10
"""Lines in a message; the last one gives the number of those left out."""
LONGEST_DETAIL = 120
LONGEST_NAME = 200
"""Maximum number of characters; longer names are cut off."""


class Contact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A version of a customer, reduced to what messages depend on."""

    lsn: int
    """Log sequence number; a greater one is a later version."""
    valid_from: int
    """Event time from which the version is valid."""
    deleted: bool
    opted_out: bool
    name: str
    address: str
    language: str
    time_zone: str


class Line(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One line of a message's details."""

    text: str
    number: int = 0
    """Line number within the order."""
    known: bool = True
    """Whether the product's name is known; if not, the text has its id."""


class RecipientEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One record that customers are notified of: a step of a fraud case, or a revision of an order."""

    kind: Literal["order", "fraud_suspected", "fraud_escalated", "fraud_closed"]
    event_id: str
    happened_at: int
    """Event time, UTC milliseconds."""
    subject_id: str
    """Id of the order or of the card."""
    amount_minor: int
    currency: str
    revision: int
    """Revision of an order; 1 for all else."""
    lines: tuple[Line, ...]
    record: SourceRecord

    def key(self) -> bytes:
        """Return the key for detecting duplicates: equal for the same event, and for all revisions of an order."""
        return hashlib.sha256(f"{self.kind}\x1f{self._identity()}".encode()).digest()[:8]

    def _identity(self) -> str:
        return self.subject_id if self.kind == "order" else self.event_id


class PendingEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An event that is not decided yet."""

    due_at: int
    """Event time at which the event is decided; the wait for its customer counts from it."""
    event: RecipientEvent


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An occasion that will be sent later."""

    occasion: Occasion
    since: int
    """Event time at which it was decided."""
    cause: str
    """Why it was not sent at once, in words."""


class SentRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is remembered of a received event, so that neither a duplicate nor a later revision is sent again."""

    key: bytes
    until: int
    """Event time at which it is forgotten."""
    seen: int
    """Greatest revision received."""
    decided: int = 0
    """Greatest revision decided; 0 if none was."""
    unnamed: tuple[int, ...] = ()
    """Numbers of the order's lines whose product names haven't been sent."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Everything known of one recipient; the keyed state."""

    contacts: tuple[Contact, ...] = ()
    """Versions of the customer, by lsn and by time: the one valid now, if any, and those valid later."""
    queue: tuple[PendingEvent, ...] = ()
    """Events that are decided when the watermark reaches them, in that order."""
    awaiting_customer: tuple[PendingEvent, ...] = ()
    """Events that wait for the customer to become known."""
    held: tuple[HeldMessage, ...] = ()
    """Occasions that are sent at `release_at`."""
    release_at: int = 0
    sent_at: tuple[int, ...] = ()
    """Event times of the last messages that weren't critical, at most as many as the limit allows per hour."""
    sent_records: tuple[SentRecord, ...] = ()
    next_at: int | None = None
    """Event time of the next `pass_time` that would change anything; None if there is nothing to wait for."""


NOBODY = Recipient()
"""A recipient of whom nothing is known."""
RECIPIENT_STATE = StateCodec("notification state", Recipient, version=1, empty=NOBODY)

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


def hear(policy: Policy, recipient_id: str, before: Recipient, event: RecipientEvent, now: int) -> Decision:
    """Process an event.

    Args:
        now: the watermark: all events before it have been received, unless they are late.
    """
    return _after(policy, recipient_id, before, now, lambda desk: desk.hear(event, now))


def learn(policy: Policy, recipient_id: str, before: Recipient, contact: Contact, now: int) -> Decision:
    """Process a version of the customer; `now` as in `hear`."""
    return _after(policy, recipient_id, before, now, lambda desk: desk.learn(contact))


def pass_time(policy: Policy, recipient_id: str, before: Recipient, now: int) -> Decision:
    """Advance the recipient to `now`: release held messages, end waits for the customer."""
    return _after(policy, recipient_id, before, now, lambda _: None)


def _next_at(policy: Policy, recipient: Recipient) -> int | None:
    moments = []
    if recipient.queue:
        moments.append(recipient.queue[0].due_at)
    if recipient.awaiting_customer:
        moments.append(min(_settles_at(policy, recipient, each) for each in recipient.awaiting_customer))
    if recipient.held:
        moments.append(recipient.release_at)
    # The time at which the last of them expires: one timer for all, since none of them matters once it has expired.
    forgotten_at = max([each.until for each in recipient.sent_records], default=None)
    if recipient.sent_at:
        forgotten_at = max(recipient.sent_at[-1] + HOUR_MS, forgotten_at or 0)
    if forgotten_at is not None:
        moments.append(forgotten_at)
    if _is_gone(recipient):
        moments.append(recipient.contacts[-1].valid_from + _remembered_ms(policy))
    return min(moments, default=None)


def _settles_at(policy: Policy, recipient: Recipient, pending: PendingEvent) -> int:
    """Return when waiting for the customer ends: the first version becomes valid, or the time limit is reached."""
    gives_up_at = pending.due_at + policy.wait_for_customer_hours * HOUR_MS
    known_at = recipient.contacts[0].valid_from if recipient.contacts else gives_up_at
    return min(max(known_at, pending.due_at), gives_up_at)


def _is_gone(recipient: Recipient) -> bool:
    return bool(recipient.contacts) and recipient.contacts[-1].deleted


def _remembered_ms(policy: Policy) -> int:
    return policy.remembered_hours * HOUR_MS


def _after(
    policy: Policy, recipient_id: str, before: Recipient, now: int, change: Callable[["_Desk"], None]
) -> Decision:
    desk = _Desk(policy, recipient_id, before)
    change(desk)
    while (moment := _next_at(policy, desk.recipient)) is not None and moment <= now:
        desk.settle(moment)
    desk.forget_versions(now)
    recipient = desk.recipient
    if recipient.next_at != moment:
        recipient = msgspec.structs.replace(recipient, next_at=moment)
    return Decision(recipient, tuple(desk.notifications), tuple(desk.rejected), tuple(desk.dropped))


class _Desk:
    """Applies inputs to one recipient; holds the changing state and collects the results."""

    def __init__(self, policy: Policy, recipient_id: str, recipient: Recipient) -> None:
        self._policy = policy
        self._recipient_id = recipient_id
        self.recipient = recipient
        self.notifications: list[Notification] = []
        self.rejected: list[tuple[SourceRecord, str]] = []
        self.dropped: list[Dropped] = []

    def hear(self, event: RecipientEvent, now: int) -> None:
        """Receive an event: decide a warning, and queue all else."""
        if not self._is_sent(event):
            self.dropped.append("switched_off")
            return
        if not self._is_new(event, now):
            self.dropped.append("repeated")
            return
        pending = PendingEvent(due_at=max(event.happened_at, now), event=event)
        if self._is_warning(event):
            self._warn(pending, event.happened_at)
            return
        queue = sorted((*self.recipient.queue, pending), key=_turn)
        if len(queue) > MOST_QUEUED:
            earliest = queue.pop(0)
            self._put(queue=tuple(queue))
            self._decide(earliest.event, earliest.due_at)
        else:
            self._put(queue=tuple(queue))

    def learn(self, contact: Contact) -> None:
        """Add a version of the customer; send warnings that waited for one."""
        known = self.recipient.contacts
        if any(each.lsn >= contact.lsn and each.valid_from <= contact.valid_from for each in known):
            return
        # An older version that would become valid later never becomes valid.
        rest = [each for each in known if each.lsn > contact.lsn or each.valid_from < contact.valid_from]
        contacts = sorted((*rest, contact), key=lambda each: each.lsn)
        if len(contacts) > MOST_VERSIONS:
            oldest, next_one, *others = contacts
            contacts = [msgspec.structs.replace(next_one, valid_from=oldest.valid_from), *others]
        self._put(contacts=tuple(contacts))
        awaiting = self.recipient.awaiting_customer
        warnings = [each for each in awaiting if self._is_warning(each.event)]
        if warnings:
            self._put(awaiting_customer=tuple(each for each in awaiting if each not in warnings))
            for each in warnings:
                self._warn(each, max(each.event.happened_at, contact.valid_from))

    def settle(self, moment: int) -> None:
        """Do all that is due at this moment; what was due before must be done already."""
        before = self.recipient
        over = [each for each in before.awaiting_customer if _settles_at(self._policy, before, each) <= moment]
        self._put(awaiting_customer=tuple(each for each in before.awaiting_customer if each not in over))
        for each in over:
            if self._contact_at(moment) is None:
                self._give_up(each, f"within {self._policy.wait_for_customer_hours} hours of {_in_words(each.due_at)}")
            else:
                self._decide(each.event, moment)
        if self.recipient.held and self.recipient.release_at <= moment:
            self._release(moment)
        due = [each for each in self.recipient.queue if each.due_at <= moment]
        self._put(queue=self.recipient.queue[len(due) :])
        for each in due:
            self._decide(each.event, each.due_at)
        self._forget(moment)

    def forget_versions(self, now: int) -> None:
        """Forget versions of the customer that a later one has replaced."""
        contacts = self.recipient.contacts
        over = sum(each.valid_from <= now for each in contacts)
        if over > 1:
            self._put(contacts=contacts[over - 1 :])

    def _put(self, **changes: object) -> None:
        self.recipient = msgspec.structs.replace(self.recipient, **changes)

    def _is_sent(self, event: RecipientEvent) -> bool:
        return self._policy.occasion["order_confirmed" if event.kind == "order" else event.kind].sent

    def _is_warning(self, event: RecipientEvent) -> bool:
        return event.kind != "order" and self._policy.occasion[event.kind].critical

    def _is_new(self, event: RecipientEvent, now: int) -> bool:
        """Return whether the event is new, and remember it."""
        key = event.key()
        known = self._sent_record(key)
        if known and known.seen >= event.revision:
            return False
        until = max(event.happened_at, now) + _remembered_ms(self._policy)
        fresh = known or SentRecord(key=key, until=until, seen=event.revision)
        self._remember(msgspec.structs.replace(fresh, until=until, seen=event.revision))
        return True

    def _sent_record(self, key: bytes) -> SentRecord | None:
        return next((each for each in self.recipient.sent_records if each.key == key), None)

    def _remember(self, record: SentRecord) -> None:
        others = [each for each in self.recipient.sent_records if each.key != record.key]
        if len(others) >= MOST_SENT_RECORDS:
            others.remove(min(others, key=lambda each: each.until))
        self._put(sent_records=(*others, record))

    def _contact_at(self, moment: int) -> Contact | None:
        """Return the newest of the versions that are valid at that moment."""
        return next((each for each in reversed(self.recipient.contacts) if each.valid_from <= moment), None)

    def _warn(self, pending: PendingEvent, moment: int) -> None:
        """Send a warning at once, to the newest known address."""
        event = pending.event
        if not self.recipient.contacts:
            self._wait_for_customer(pending)
            return
        contact = self.recipient.contacts[-1]
        if contact.deleted:
            self.dropped.append("deleted")
            return
        occasion = _occasion(event, event.kind, event.lines)  # type: ignore[arg-type]
        self._send([occasion], moment, contact, f"{event.kind} is critical: it goes out at once")

    def _wait_for_customer(self, pending: PendingEvent) -> None:
        # Of an order only the last revision waits: it contains all that the others do, and is sent like the first one.
        order = [each for each in self.recipient.awaiting_customer if each.event.key() == pending.event.key()]
        if order:
            first = order[0]
            event = msgspec.structs.replace(pending.event, event_id=first.event.event_id)
            pending = msgspec.structs.replace(pending, due_at=first.due_at, event=event)
        awaiting = [*(each for each in self.recipient.awaiting_customer if each not in order), pending]
        if len(awaiting) > MOST_AWAITING_CUSTOMER:
            self._give_up(awaiting.pop(0), f"and {MOST_AWAITING_CUSTOMER} later records wait for the same one")
        self._put(awaiting_customer=tuple(awaiting))

    def _give_up(self, pending: PendingEvent, details: str) -> None:
        reason = f"the customer {self._recipient_id} isn't known, {details}"
        self.rejected.append((pending.event.record, reason))
        # Forget it, so that it isn't a duplicate when it is sent again.
        key = pending.event.key()
        self._put(sent_records=tuple(each for each in self.recipient.sent_records if each.key != key))

    def _decide(self, event: RecipientEvent, moment: int) -> None:
        """Decide an event that isn't critical: wait for the customer, drop, hold or send it."""
        contact = self._contact_at(moment)
        if contact is None:
            self._wait_for_customer(PendingEvent(due_at=moment, event=event))
        elif contact.deleted:
            self.dropped.append("deleted")
        elif contact.opted_out:
            self.dropped.append("opted_out")
        elif occasion := self._order(event) if event.kind == "order" else _occasion(event, event.kind, event.lines):
            self._hold_or_send(occasion, moment, contact)

    def _order(self, event: RecipientEvent) -> Occasion | None:
        """Return the occasion to send for an order's revision; None if there is nothing to send."""
        known = self._sent_record(event.key()) or SentRecord(
            key=event.key(), until=event.happened_at + _remembered_ms(self._policy), seen=event.revision
        )
        unnamed = tuple(line.number for line in event.lines if not line.known)[:MOST_UNNAMED]
        self._remember(msgspec.structs.replace(known, decided=event.revision, unnamed=unnamed))
        if not known.decided:
            return _occasion(event, "order_confirmed", event.lines)
        if self._complete_held(event):
            return None
        named = tuple(line for line in event.lines if line.known and line.number in known.unnamed)
        if not named:
            self.dropped.append("nothing_new")
        elif not self._policy.occasion["order_completed"].sent:
            self.dropped.append("switched_off")
        else:
            return _occasion(event, "order_completed", named)
        return None

    def _complete_held(self, event: RecipientEvent) -> bool:
        """If the order's confirmation is still held, update it with what is known now; return whether it was."""
        held = self.recipient.held
        place = next((i for i, each in enumerate(held) if _confirms(each.occasion, event.subject_id)), None)
        if place is None:
            return False
        before = held[place]
        after = msgspec.structs.replace(before.occasion, details=_details(event.lines))
        self._put(held=(*held[:place], msgspec.structs.replace(before, occasion=after), *held[place + 1 :]))
        return True

    def _hold_or_send(self, occasion: Occasion, moment: int, contact: Contact) -> None:
        if self.recipient.held:
            cause = self.recipient.held[-1].cause
            self._put(held=(*self.recipient.held, HeldMessage(occasion=occasion, since=moment, cause=cause)))
            if len(self.recipient.held) >= MOST_HELD:
                self._send_held(moment, contact, f"; {MOST_HELD} are as many as wait")
            return
        free_at, cause = self._free_at(moment, contact)
        if free_at <= moment:
            self._send([occasion], moment, contact, f"{occasion.kind}: nothing holds it back")
            self._count(moment)
        else:
            self._put(held=(HeldMessage(occasion=occasion, since=moment, cause=cause),), release_at=free_at)

    def _free_at(self, moment: int, contact: Contact) -> tuple[int, str]:
        """Return the earliest time for a message that isn't critical, and what prevents it until then."""
        zone, _ = _zone(contact)
        limit = self._policy.messages_per_hour
        causes: list[str] = []
        while True:
            quiet = self._policy.quiet_hours
            if quiet and (over := quiet_until(quiet, zone, moment)):
                causes.append(f"quiet hours, {quiet.begin} to {quiet.end} in {zone.key}")
                moment = over
            elif len(recent := [each for each in self.recipient.sent_at if each > moment - HOUR_MS]) >= limit:
                causes.append(f"the limit of {limit} messages an hour")
                moment = recent[-limit] + HOUR_MS
            else:
                return moment, " and ".join(dict.fromkeys(causes))

    def _release(self, moment: int) -> None:
        """Send held occasions, unless the customer has opted out or been deleted, or it isn't time yet in their time
        zone."""
        contact = self._contact_at(moment)
        if contact is None or contact.deleted or contact.opted_out:
            why: Dropped = "opted_out" if contact and not contact.deleted else "deleted"
            self.dropped += [why] * len(self.recipient.held)
            self._put(held=(), release_at=0)
            return
        free_at, _ = self._free_at(moment, contact)
        if free_at > moment:
            self._put(release_at=free_at)
        else:
            self._send_held(moment, contact)

    def _send_held(self, moment: int, contact: Contact, remark: str = "") -> None:
        held = self.recipient.held
        self._put(held=(), release_at=0)
        occasions = sorted((each.occasion for each in held), key=lambda each: (each.happened_at, each.occasion_id))
        what = occasions[0].kind if len(held) == 1 else f"a digest of {len(held)}"
        reason = f"{what}: held since {_in_words(held[0].since)} by {held[0].cause}{remark}"
        self._send(occasions, moment, contact, reason)
        self._count(moment)

    def _count(self, moment: int) -> None:
        self._put(sent_at=tuple(sorted((*self.recipient.sent_at, moment)))[-self._policy.messages_per_hour :])

    def _send(self, occasions: Sequence[Occasion], moment: int, contact: Contact, reason: str) -> None:
        zone, remark = _zone(contact)
        alone = self._policy.occasion[occasions[0].kind].template
        self.notifications.append(
            Notification(
                event_id=_notification_id(self._recipient_id, occasions),
                event_time=moment,
                recipient=self._recipient_id,
                recipient_name=contact.name[:LONGEST_NAME],
                channel="email",
                address=contact.address,
                template=alone if len(occasions) == 1 else "digest",
                language=contact.language,
                time_zone=zone.key,
                reason=reason + remark,
                policy_version=self._policy.version,
                payload=tuple(occasions),
            )
        )

    def _forget(self, moment: int) -> None:
        """Forget what has expired."""
        self._put(
            sent_records=tuple(each for each in self.recipient.sent_records if each.until > moment),
            sent_at=tuple(each for each in self.recipient.sent_at if each + HOUR_MS > moment),
        )
        if _is_gone(self.recipient) and self.recipient.contacts[-1].valid_from + _remembered_ms(self._policy) <= moment:
            self._put(contacts=())


def _turn(pending: PendingEvent) -> tuple[int, int, str, int, str]:
    """Return the sort key of the order in which events are decided."""
    event = pending.event
    return pending.due_at, event.happened_at, event.subject_id, event.revision, event.event_id


def _occasion(event: RecipientEvent, kind: Kind, lines: Sequence[Line]) -> Occasion:
    return Occasion(
        kind=kind,
        occasion_id=event.event_id,
        happened_at=event.happened_at,
        subject_id=event.subject_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        details=_details(lines),
    )


def _details(lines: Sequence[Line]) -> tuple[str, ...]:
    texts = [line.text if len(line.text) <= LONGEST_DETAIL else line.text[: LONGEST_DETAIL - 1] + "…" for line in lines]
    if len(texts) > MOST_DETAILS:
        texts = [*texts[: MOST_DETAILS - 1], f"… +{len(texts) - MOST_DETAILS + 1}"]
    return tuple(texts)


def _confirms(occasion: Occasion, order_id: str) -> bool:
    return occasion.kind == "order_confirmed" and occasion.subject_id == order_id


def _zone(contact: Contact) -> tuple[ZoneInfo, str]:
    """Return the customer's time zone and an empty remark, or UTC and the reason."""
    zone = time_zone(contact.time_zone)
    return (zone, "") if zone else (ZoneInfo("UTC"), f"; there is no time zone {contact.time_zone!r}, so UTC")


def _notification_id(recipient_id: str, occasions: Sequence[Occasion]) -> str:
    """Return 128 bits of SHA-256 in hex over the recipient and the occasions: the same in every run."""
    parts = sorted(f"{each.kind}\x1f{each.occasion_id}" for each in occasions)
    return hashlib.sha256("\x1e".join(("notification", recipient_id, *parts)).encode()).hexdigest()[:32]


def _in_words(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
