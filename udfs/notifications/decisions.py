"""What is told to one recipient, when, and what isn't? From news and versions of the customer; knows no Flink.

Warnings are decided when they arrive. All else is decided in the order of event times, when event time has passed it:
so it follows from event times alone, whatever the order of arrival, and a restart or a replay decides the same. What
comes after its time is decided at once, as of then. docs/notifications.md says what is promised.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from events import Notification, Occasion
from udfs.notifications.notification_policy import Kind, Policy
from udfs.notifications.quiet_hours import quiet_until, time_zone
from udfs.source_records import SourceRecord

HOUR_MS = 3_600_000

# What one recipient's state holds at the most, and what happens beyond.
MOST_QUEUED = 50
"""News ahead of event time; the earliest is decided at once, as of its time."""
MOST_UNSETTLED = 20
"""News of somebody who isn't known; the oldest becomes a dead letter."""
MOST_HELD = 50
"""Occasions that wait for morning or for the limit; they go out at once, as a digest."""
MOST_TOLD = 200
"""What was told; what would be forgotten first is forgotten, and its repetition is sent again, with the same id."""
MOST_VERSIONS = 16
"""Versions of the customer ahead of event time; of the two oldest the later one holds already."""
MOST_UNNAMED = 100
"""Lines of an order that weren't known; more are not told later."""
MOST_DETAILS = 10
"""Lines in a message; the last one says how many more there are."""
LONGEST_DETAIL = 120
LONGEST_NAME = 200
"""Characters; what is longer is cut off."""

_STATE_VERSION = b"\x01"


class Contact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A version of a customer, as far as messages depend on it."""

    lsn: int
    """A greater one is a later version."""
    valid_from: int
    """Event time from which it holds."""
    deleted: bool
    opted_out: bool
    name: str
    address: str
    language: str
    time_zone: str


class Line(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One line of what is told."""

    text: str
    number: int = 0
    """Of an order's line."""
    known: bool = True
    """Whether its product is known; if not, it is named by its id."""


class News(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One record that tells of something: a step of a fraud case, or a revision of an order."""

    kind: Literal["order", "fraud_suspected", "fraud_escalated", "fraud_closed"]
    event_id: str
    happened_at: int
    """Event time, UTC milliseconds."""
    subject_id: str
    """The order's id, or the card's."""
    amount_minor: int
    currency: str
    revision: int
    """Of an order; 1 for all else."""
    lines: tuple[Line, ...]
    record: SourceRecord

    def key(self) -> bytes:
        """The same for what must not be told twice: the event, or all revisions of an order."""
        return hashlib.sha256(f"{self.kind}\x1f{self._identity()}".encode()).digest()[:8]

    def _identity(self) -> str:
        return self.subject_id if self.kind == "order" else self.event_id


class Waiting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """News that is not decided yet."""

    since: int
    """Event time at which it is decided, or could have been."""
    news: News


class Held(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An occasion that will be told later."""

    occasion: Occasion
    since: int
    cause: str
    """Why not at once, in words."""


class Told(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is known of news that came."""

    key: bytes
    until: int
    """Event time at which it is forgotten."""
    seen: int
    """The greatest revision that came."""
    decided: int = 0
    """The greatest revision of which something was told; 0 if nothing was."""
    unnamed: tuple[int, ...] = ()
    """Numbers of an order's lines whose names haven't been told."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """All that is known of one recipient; the keyed state."""

    contacts: tuple[Contact, ...] = ()
    """Versions of the customer, by lsn and by time: the one that holds now, if any does, and those that will."""
    queue: tuple[Waiting, ...] = ()
    """What is decided when event time gets there, in that order."""
    unsettled: tuple[Waiting, ...] = ()
    """What waits for the customer to become known."""
    held: tuple[Held, ...] = ()
    """What goes out at `release_at`."""
    release_at: int = 0
    sent: tuple[int, ...] = ()
    """Event times of the last messages that weren't critical, as many as the limit allows within an hour."""
    told: tuple[Told, ...] = ()
    next_at: int | None = None
    """Event time of the next `pass_time` that would change anything; None if there is nothing to wait for."""


class StateVersionError(ValueError):
    """Keyed state was written by a version of the job that this one doesn't know."""


def encode_recipient(recipient: Recipient) -> bytes:
    """Keyed state: a version byte, then MessagePack."""
    return _STATE_VERSION + _encoder.encode(recipient)


def decode_recipient(state: bytes | None) -> Recipient:
    """Inverse of `encode_recipient`; no state is somebody of whom nothing is known.

    Raises:
        StateVersionError: the version byte is unknown.
    """
    if state is None:
        return NOBODY
    if state[:1] != _STATE_VERSION:
        raise StateVersionError(
            f"the state of notifications has version {state[0]}, this job reads {_STATE_VERSION[0]}: restore the "
            "savepoint with the release that wrote it, or with a later one"
        )
    return _decoder.decode(memoryview(state)[1:])


NOBODY = Recipient()
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Recipient)

Dropped = Literal["repeated", "switched_off", "opted_out", "deleted", "nothing_new"]
"""Why nothing is told, and nothing is wrong."""


@dataclass(frozen=True)
class Decision:
    """What follows from one input."""

    recipient: Recipient
    notifications: tuple[Notification, ...] = ()
    rejected: tuple[tuple[SourceRecord, str], ...] = ()
    """Records that become dead letters, with the reason."""
    dropped: tuple[Dropped, ...] = ()
    """One for each occasion that isn't told."""


def hear(policy: Policy, recipient_id: str, before: Recipient, news: News, now: int) -> Decision:
    """What follows from news.

    Args:
        now: event time, that is the watermark: all that happened before has been heard of, unless it is late.
    """
    return _after(policy, recipient_id, before, now, lambda desk: desk.hear(news, now))


def learn(policy: Policy, recipient_id: str, before: Recipient, contact: Contact, now: int) -> Decision:
    """What follows from a version of the customer; `now` as in `hear`."""
    return _after(policy, recipient_id, before, now, lambda desk: desk.learn(contact))


def pass_time(policy: Policy, recipient_id: str, before: Recipient, now: int) -> Decision:
    """What follows from event time having come to `now`."""
    return _after(policy, recipient_id, before, now, lambda _: None)


def _next_at(policy: Policy, recipient: Recipient) -> int | None:
    moments = []
    if recipient.queue:
        moments.append(recipient.queue[0].since)
    if recipient.unsettled:
        moments.append(min(_settles_at(policy, recipient, each) for each in recipient.unsettled))
    if recipient.held:
        moments.append(recipient.release_at)
    # Of all that is to be forgotten the last one: one timer for all, and none of them matters when it is over.
    forgotten_at = max([each.until for each in recipient.told], default=None)
    if recipient.sent:
        forgotten_at = max(recipient.sent[-1] + HOUR_MS, forgotten_at or 0)
    if forgotten_at is not None:
        moments.append(forgotten_at)
    if _is_gone(recipient):
        moments.append(recipient.contacts[-1].valid_from + _remembered_ms(policy))
    return min(moments, default=None)


def _settles_at(policy: Policy, recipient: Recipient, waiting: Waiting) -> int:
    """When it is over with waiting for the customer: the first version holds, or it has taken too long."""
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
    """Where one recipient's matters are decided; the state changes as it goes."""

    def __init__(self, policy: Policy, recipient_id: str, recipient: Recipient) -> None:
        self._policy = policy
        self._recipient_id = recipient_id
        self.recipient = recipient
        self.notifications: list[Notification] = []
        self.rejected: list[tuple[SourceRecord, str]] = []
        self.dropped: list[Dropped] = []

    def hear(self, news: News, now: int) -> None:
        """Take in news: decide a warning, and put all else into the queue."""
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
        """Take in a version of the customer: what waited for one is sent if it is a warning."""
        known = self.recipient.contacts
        if any(each.lsn >= contact.lsn and each.valid_from <= contact.valid_from for each in known):
            return
        # One that is older and would hold later never holds.
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
        """Do all that is due at this moment; what is due before has been done."""
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
        """Forget versions of the customer that a later one has taken the place of."""
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
        """Whether it hasn't come before; it has from now on."""
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
        """The newest version of those that hold at that moment."""
        return next((each for each in reversed(self.recipient.contacts) if each.valid_from <= moment), None)

    def _warn(self, waiting: Waiting, moment: int) -> None:
        """Send a warning at once, to the newest address that is known."""
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
        # Of an order only the last revision waits: it says all that the others do, and is told as the first one.
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
        # So that it counts when it is sent again.
        key = waiting.news.key()
        self._put(told=tuple(each for each in self.recipient.told if each.key != key))

    def _decide(self, news: News, moment: int) -> None:
        """What becomes of news that isn't critical."""
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
        """What is to be told of a revision; None if nothing."""
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
        """Whether the order's confirmation hasn't gone out yet; then it tells what is known now."""
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
        """When a message that isn't critical may go out at the earliest, and what is in its way until then."""
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
        """Send what was held, unless somebody doesn't want it any more, or it isn't time yet where they are now."""
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
        """Forget what is over."""
        self._put(
            told=tuple(each for each in self.recipient.told if each.until > moment),
            sent=tuple(each for each in self.recipient.sent if each + HOUR_MS > moment),
        )
        if _is_gone(self.recipient) and self.recipient.contacts[-1].valid_from + _remembered_ms(self._policy) <= moment:
            self._put(contacts=())


def _turn(waiting: Waiting) -> tuple[int, int, str, int, str]:
    """In which order news are decided."""
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
    """The customer's time zone, or UTC and why."""
    zone = time_zone(contact.time_zone)
    return (zone, "") if zone else (ZoneInfo("UTC"), f"; there is no time zone {contact.time_zone!r}, so UTC")


def _notification_id(recipient_id: str, occasions: Sequence[Occasion]) -> str:
    """128 bits of SHA-256 in hex over what is told to whom: the same in every run."""
    told = sorted(f"{each.kind}\x1f{each.occasion_id}" for each in occasions)
    return hashlib.sha256("\x1e".join(("notification", recipient_id, *told)).encode()).hexdigest()[:32]


def _in_words(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
