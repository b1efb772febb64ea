"""Schedule of one recipient's messages: sent at once, or held until quiet hours and the limit per hour allow them.

Held messages are sent together, as a digest. Knows no Flink.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from events import Notification, Occasion
from udfs.notifications.contacts import Contact
from udfs.notifications.messages import details, in_words, notification
from udfs.notifications.notification_policy import Policy
from udfs.notifications.quiet_hours import quiet_until
from udfs.notifications.state import HOUR_MS, MOST_HELD, HeldMessage, Recipient, RecipientEvent


class MessageSchedule:
    """Holds and sends messages; `moment` is always the event time of the decision, in UTC milliseconds."""

    def __init__(self, policy: Policy, recipient_id: str, before: Recipient) -> None:
        self._policy = policy
        self._recipient_id = recipient_id
        self.held = before.held
        self.release_at = before.release_at
        self.sent_at = before.sent_at
        self.notifications: list[Notification] = []

    def send_warning(self, warning: Occasion, moment: int, contact: Contact) -> None:
        """Send a critical occasion at once: neither quiet hours nor the limit apply, and it doesn't count."""
        self._send([warning], moment, contact, f"{warning.kind} is critical: sent at once")

    def hold_or_send(self, occasion: Occasion, moment: int, contact: Contact) -> None:
        """Send an occasion that isn't critical if it may be sent now and no other one is held; hold it otherwise."""
        if self.held:
            held = HeldMessage(occasion=occasion, since=moment, cause=self.held[-1].cause)
            self.held = (*self.held, held)
            if len(self.held) >= MOST_HELD:
                self._send_held(moment, contact, f"; at most {MOST_HELD} are held")
            return
        earliest, cause = earliest_time(self._policy, contact.zone, self.sent_at, moment)
        if earliest > moment:
            self.held = (HeldMessage(occasion=occasion, since=moment, cause=cause),)
            self.release_at = earliest
        else:
            self._send([occasion], moment, contact, f"{occasion.kind}: nothing holds it back")
            self._count(moment)

    def complete_held(self, event: RecipientEvent) -> bool:
        """If the confirmation of this order is held, update its details; return whether it was."""
        place = next((i for i, each in enumerate(self.held) if _confirms(each.occasion, event.subject_id)), None)
        if place is None:
            return False
        before = self.held[place]
        after = msgspec.structs.replace(before.occasion, details=details(event.lines))
        completed = msgspec.structs.replace(before, occasion=after)
        self.held = (*self.held[:place], completed, *self.held[place + 1 :])
        return True

    def is_release_due(self, moment: int) -> bool:
        """Return whether messages are held until this event time, or until an earlier one."""
        return bool(self.held) and self.release_at <= moment

    def release(self, moment: int, contact: Contact) -> None:
        """Send held messages, unless it is too early in the time zone that the customer has by now."""
        earliest, _ = earliest_time(self._policy, contact.zone, self.sent_at, moment)
        if earliest > moment:
            self.release_at = earliest
        else:
            self._send_held(moment, contact)

    def discard_held(self) -> int:
        """Discard held messages; return how many there were."""
        discarded = len(self.held)
        self.held, self.release_at = (), 0
        return discarded

    def forget_sent(self, moment: int) -> None:
        """Forget sent messages that the limit doesn't count any more."""
        self.sent_at = tuple(each for each in self.sent_at if each + HOUR_MS > moment)

    def _send_held(self, moment: int, contact: Contact, remark: str = "") -> None:
        held = self.held
        self.held, self.release_at = (), 0
        occasions = sorted((each.occasion for each in held), key=lambda each: (each.happened_at, each.occasion_id))
        what = occasions[0].kind if len(held) == 1 else f"a digest of {len(held)}"
        reason = f"{what}: held since {in_words(held[0].since)} by {held[0].cause}{remark}"
        self._send(occasions, moment, contact, reason)
        self._count(moment)

    def _send(self, occasions: Sequence[Occasion], moment: int, contact: Contact, reason: str) -> None:
        message = notification(self._policy, self._recipient_id, contact, occasions, moment=moment, reason=reason)
        self.notifications.append(message)

    def _count(self, moment: int) -> None:
        """Count a message towards the limit."""
        self.sent_at = tuple(sorted((*self.sent_at, moment)))[-self._policy.messages_per_hour :]


def earliest_time(policy: Policy, zone: ZoneInfo, sent_at: Sequence[int], moment: int) -> tuple[int, str]:
    """Return the earliest event time for a message from `moment` on, and in words what prevents it until then.

    Args:
        zone: the recipient's time zone.
        sent_at: event times of the last messages that the limit counts, in their order.
    """
    limit = policy.messages_per_hour
    causes: list[str] = []
    while True:
        quiet = policy.quiet_hours
        if quiet and (over := quiet_until(quiet, zone, moment)):
            causes.append(f"quiet hours, {quiet.begin} to {quiet.end} in {zone.key}")
            moment = over
        elif len(recent := [each for each in sent_at if each > moment - HOUR_MS]) >= limit:
            causes.append(f"the limit of {limit} messages an hour")
            moment = recent[-limit] + HOUR_MS
        else:
            return moment, " and ".join(dict.fromkeys(causes))


def _confirms(occasion: Occasion, order_id: str) -> bool:
    return occasion.kind == "order_confirmed" and occasion.subject_id == order_id
