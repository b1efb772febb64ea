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
MOST_UNSETTLED = 20
"""Events of an unknown customer; beyond, the oldest becomes a dead letter."""
MOST_HELD = 50
"""Occasions that wait for the end of quiet hours or for the limit; at this number they are sent at once, as a
digest."""
MOST_TOLD = 200
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


class News(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
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


class Waiting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An event that is not decided yet."""

    since: int
    """Event time at which it is decided, or could have been."""
    news: News


class Held(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An occasion that will be sent later."""

    occasion: Occasion
    since: int
    cause: str
    """Why it was not sent at once, in words."""


class Told(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is remembered of an event that was received."""

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
    queue: tuple[Waiting, ...] = ()
    """Events that are decided when the watermark reaches them, in that order."""
    unsettled: tuple[Waiting, ...] = ()
    """Events that wait for the customer to become known."""
    held: tuple[Held, ...] = ()
    """Occasions that are sent at `release_at`."""
    release_at: int = 0
    sent: tuple[int, ...] = ()
    """Event times of the last messages that weren't critical, at most as many as the limit allows per hour."""
    told: tuple[Told, ...] = ()
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


def hear(policy: Policy, recipient_id: str, before: Recipient, news: News, now: int) -> Decision:
    """Process an event.

    Args:
        now: the watermark: all events before it have been received, unless they are late.
    """
    return _after(policy, recipient_id, before, now, lambda desk: desk.hear(news, now))


def learn(policy: Policy, recipient_id: str, before: Recipient, contact: Contact, now: int) -> Decision:
    """Process a version of the customer; `now` as in `hear`."""
    return _after(policy, recipient_id, before, now, lambda desk: desk.learn(contact))


def pass_time(policy: Policy, recipient_id: str, before: Recipient, now: int) -> Decision:
    """Advance the recipient to `now`: release held messages, end waiting."""
    return _after(policy, recipient_id, before, now, lambda _: None)


def _next_at(policy: Policy, recipient: Recipient) -> int | None:
    moments = []
    if recipient.queue:
        moments.append(recipient.queue[0].since)
    if recipient.unsettled:
        moments.append(min(_settles_at(policy, recipient, each) for each in recipient.unsettled))
    if recipient.held:
        moments.append(recipient.release_at)
    # The time at which the last of them expires: one timer for all, since none of them matters once it has expired.
    forgotten_at = max([each.until for each in recipient.told], default=None)
    if recipient.sent:
        forgotten_at = max(recipient.sent[-1] + HOUR_MS, forgotten_at or 0)
    if forgotten_at is not None:
        moments.append(forgotten_at)
    if _is_gone(recipient):
        moments.append(recipient.contacts[-1].valid_from + _remembered_ms(policy))
    return min(moments, default=None)


def _settles_at(policy: Policy, recipient: Recipient, waiting: Waiting) -> int:
    """Return when waiting for the customer ends: the first version becomes valid, or the time limit is reached."""
    gives_up_at = waiting.since + policy.wait_for_customer_hours * HOUR_MS
    known_at = recipient.contacts[0].valid_from if recipient.contacts else gives_up_at
    return min(max(known_at, waiting.since), gives_up_at)


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

    def hear(self, news: News, now: int) -> None:
        """Receive an event: decide a warning, and queue all else."""
        if not self._is_to_be_told(news):
            self.dropped.append("switched_off")
            return
        if not self._is_new(news, now):
            self.dropped.append("repeated")
            return
        waiting = Waiting(since=max(news.happened_at, now), news=news)
        if self._is_warning(news):
            self._warn(waiting, news.happened_at)
            return
        queue = sorted((*self.recipient.queue, waiting), key=_turn)
        if len(queue) > MOST_QUEUED:
            earliest = queue.pop(0)
            self._put(queue=tuple(queue))
            self._decide(earliest.news, earliest.since)
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
        unsettled = self.recipient.unsettled
        warnings = [each for each in unsettled if self._is_warning(each.news)]
        if warnings:
            self._put(unsettled=tuple(each for each in unsettled if each not in warnings))
            for each in warnings:
                self._warn(each, max(each.news.happened_at, contact.valid_from))

    def settle(self, moment: int) -> None:
        """Do all that is due at this moment; what was due before must be done already."""
        before = self.recipient
        over = [each for each in before.unsettled if _settles_at(self._policy, before, each) <= moment]
        self._put(unsettled=tuple(each for each in before.unsettled if each not in over))
        for each in over:
            if self._contact_at(moment) is None:
                self._give_up(each, f"within {self._policy.wait_for_customer_hours} hours of {_in_words(each.since)}")
            else:
                self._decide(each.news, moment)
        if self.recipient.held and self.recipient.release_at <= moment:
            self._release(moment)
        due = [each for each in self.recipient.queue if each.since <= moment]
        self._put(queue=self.recipient.queue[len(due) :])
        for each in due:
            self._decide(each.news, each.since)
        self._forget(moment)

    def forget_versions(self, now: int) -> None:
        """Forget versions of the customer that a later one has replaced."""
        contacts = self.recipient.contacts
        over = sum(each.valid_from <= now for each in contacts)
        if over > 1:
            self._put(contacts=contacts[over - 1 :])

    def _put(self, **changes: object) -> None:
        self.recipient = msgspec.structs.replace(self.recipient, **changes)

    def _is_to_be_told(self, news: News) -> bool:
        return self._policy.occasion["order_confirmed" if news.kind == "order" else news.kind].sent

    def _is_warning(self, news: News) -> bool:
        return news.kind != "order" and self._policy.occasion[news.kind].critical

    def _is_new(self, news: News, now: int) -> bool:
        """Return whether the event is new, and remember it."""
        key = news.key()
        known = self._told(key)
        if known and known.seen >= news.revision:
            return False
        until = max(news.happened_at, now) + _remembered_ms(self._policy)
        fresh = known or Told(key=key, until=until, seen=news.revision)
        self._remember(msgspec.structs.replace(fresh, until=until, seen=news.revision))
        return True

    def _told(self, key: bytes) -> Told | None:
        return next((each for each in self.recipient.told if each.key == key), None)

    def _remember(self, told: Told) -> None:
        others = [each for each in self.recipient.told if each.key != told.key]
        if len(others) >= MOST_TOLD:
            others.remove(min(others, key=lambda each: each.until))
        self._put(told=(*others, told))

    def _contact_at(self, moment: int) -> Contact | None:
        """Return the newest of the versions that are valid at that moment."""
        return next((each for each in reversed(self.recipient.contacts) if each.valid_from <= moment), None)

    def _warn(self, waiting: Waiting, moment: int) -> None:
        """Send a warning at once, to the newest known address."""
        news = waiting.news
        if not self.recipient.contacts:
            self._wait_for_customer(waiting)
            return
        contact = self.recipient.contacts[-1]
        if contact.deleted:
            self.dropped.append("deleted")
            return
        occasion = _occasion(news, news.kind, news.lines)  # type: ignore[arg-type]
        self._send([occasion], moment, contact, f"{news.kind} is critical: it goes out at once")

    def _wait_for_customer(self, waiting: Waiting) -> None:
        # Of an order only the last revision waits: it contains all that the others do, and is sent like the first one.
        order = [each for each in self.recipient.unsettled if each.news.key() == waiting.news.key()]
        if order:
            first = order[0]
            news = msgspec.structs.replace(waiting.news, event_id=first.news.event_id)
            waiting = msgspec.structs.replace(waiting, since=first.since, news=news)
        unsettled = [*(each for each in self.recipient.unsettled if each not in order), waiting]
        if len(unsettled) > MOST_UNSETTLED:
            self._give_up(unsettled.pop(0), f"and {MOST_UNSETTLED} later records wait for the same one")
        self._put(unsettled=tuple(unsettled))

    def _give_up(self, waiting: Waiting, details: str) -> None:
        reason = f"the customer {self._recipient_id} isn't known, {details}"
        self.rejected.append((waiting.news.record, reason))
        # Forget it, so that it isn't a duplicate when it is sent again.
        key = waiting.news.key()
        self._put(told=tuple(each for each in self.recipient.told if each.key != key))

    def _decide(self, news: News, moment: int) -> None:
        """Decide an event that isn't critical: wait for the customer, drop, hold or send it."""
        contact = self._contact_at(moment)
        if contact is None:
            self._wait_for_customer(Waiting(since=moment, news=news))
        elif contact.deleted:
            self.dropped.append("deleted")
        elif contact.opted_out:
            self.dropped.append("opted_out")
        elif occasion := self._order(news) if news.kind == "order" else _occasion(news, news.kind, news.lines):
            self._hold_or_send(occasion, moment, contact)

    def _order(self, news: News) -> Occasion | None:
        """Return the occasion to send for an order's revision; None if there is nothing to send."""
        told = self._told(news.key()) or Told(
            key=news.key(), until=news.happened_at + _remembered_ms(self._policy), seen=news.revision
        )
        unnamed = tuple(line.number for line in news.lines if not line.known)[:MOST_UNNAMED]
        self._remember(msgspec.structs.replace(told, decided=news.revision, unnamed=unnamed))
        if not told.decided:
            return _occasion(news, "order_confirmed", news.lines)
        if self._complete_held(news):
            return None
        named = tuple(line for line in news.lines if line.known and line.number in told.unnamed)
        if not named:
            self.dropped.append("nothing_new")
        elif not self._policy.occasion["order_completed"].sent:
            self.dropped.append("switched_off")
        else:
            return _occasion(news, "order_completed", named)
        return None

    def _complete_held(self, news: News) -> bool:
        """If the order's confirmation is still held, update it with what is known now; return whether it was."""
        held = self.recipient.held
        place = next((i for i, each in enumerate(held) if _confirms(each.occasion, news.subject_id)), None)
        if place is None:
            return False
        before = held[place]
        after = msgspec.structs.replace(before.occasion, details=_details(news.lines))
        self._put(held=(*held[:place], msgspec.structs.replace(before, occasion=after), *held[place + 1 :]))
        return True

    def _hold_or_send(self, occasion: Occasion, moment: int, contact: Contact) -> None:
        if self.recipient.held:
            cause = self.recipient.held[-1].cause
            self._put(held=(*self.recipient.held, Held(occasion=occasion, since=moment, cause=cause)))
            if len(self.recipient.held) >= MOST_HELD:
                self._send_held(moment, contact, f"; {MOST_HELD} are as many as wait")
            return
        free_at, cause = self._free_at(moment, contact)
        if free_at <= moment:
            self._send([occasion], moment, contact, f"{occasion.kind}: nothing holds it back")
            self._count(moment)
        else:
            self._put(held=(Held(occasion=occasion, since=moment, cause=cause),), release_at=free_at)

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
            elif len(recent := [each for each in self.recipient.sent if each > moment - HOUR_MS]) >= limit:
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
        self._put(sent=tuple(sorted((*self.recipient.sent, moment)))[-self._policy.messages_per_hour :])

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
            told=tuple(each for each in self.recipient.told if each.until > moment),
            sent=tuple(each for each in self.recipient.sent if each + HOUR_MS > moment),
        )
        if _is_gone(self.recipient) and self.recipient.contacts[-1].valid_from + _remembered_ms(self._policy) <= moment:
            self._put(contacts=())


def _turn(waiting: Waiting) -> tuple[int, int, str, int, str]:
    """Return the sort key of the order in which events are decided."""
    news = waiting.news
    return waiting.since, news.happened_at, news.subject_id, news.revision, news.event_id


def _occasion(news: News, kind: Kind, lines: Sequence[Line]) -> Occasion:
    return Occasion(
        kind=kind,
        occasion_id=news.event_id,
        happened_at=news.happened_at,
        subject_id=news.subject_id,
        amount_minor=news.amount_minor,
        currency=news.currency,
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
    told = sorted(f"{each.kind}\x1f{each.occasion_id}" for each in occasions)
    return hashlib.sha256("\x1e".join(("notification", recipient_id, *told)).encode()).hexdigest()[:32]


def _in_words(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
