"""Messages to customers: occasions of events, their details, and the notifications that carry them. Knows no Flink."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from events import Notification, Occasion
from udfs.notifications.contacts import Contact
from udfs.notifications.notification_policy import Kind, Policy
from udfs.notifications.state import Line, RecipientEvent

MOST_DETAILS = 10
"""Lines in a message; the last one gives the number of those left out."""
LONGEST_DETAIL = 120
"""Maximum number of characters of a line; longer lines are cut off."""
LONGEST_NAME = 200
"""Maximum number of characters of a customer's name; longer names are cut off."""


def occasion(event: RecipientEvent, kind: Kind, lines: Sequence[Line]) -> Occasion:
    """Build the occasion of an event, with these lines as its details."""
    return Occasion(
        kind=kind,
        occasion_id=event.event_id,
        happened_at=event.happened_at,
        subject_id=event.subject_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        details=details(lines),
    )


def details(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return the texts of lines, cut to what a message takes."""
    texts = [line.text if len(line.text) <= LONGEST_DETAIL else line.text[: LONGEST_DETAIL - 1] + "…" for line in lines]
    if len(texts) > MOST_DETAILS:
        texts = [*texts[: MOST_DETAILS - 1], f"… +{len(texts) - MOST_DETAILS + 1}"]
    return tuple(texts)


def notification(
    policy: Policy, recipient_id: str, contact: Contact, occasions: Sequence[Occasion], *, moment: int, reason: str
) -> Notification:
    """Build the notification of some occasions.

    Args:
        occasions: oldest first.
        moment: event time at which it is sent.
        reason: the policy rule that decided it, in words.
    """
    template = policy.occasion[occasions[0].kind].template if len(occasions) == 1 else "digest"
    zone = contact.zone.key
    if zone != contact.time_zone:
        reason += f"; there is no time zone {contact.time_zone!r}, so UTC"
    return Notification(
        event_id=_notification_id(recipient_id, occasions),
        event_time=moment,
        recipient=recipient_id,
        recipient_name=contact.name[:LONGEST_NAME],
        channel="email",
        address=contact.address,
        template=template,
        language=contact.language,
        time_zone=zone,
        reason=reason,
        policy_version=policy.version,
        payload=tuple(occasions),
    )


def in_words(moment: int) -> str:
    """Return an event time as people read it, in UTC."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _notification_id(recipient_id: str, occasions: Sequence[Occasion]) -> str:
    """Return 128 bits of SHA-256 in hex over the recipient and the occasions: the same in every run."""
    parts = sorted(f"{each.kind}\x1f{each.occasion_id}" for each in occasions)
    return hashlib.sha256("\x1e".join(("notification", recipient_id, *parts)).encode()).hexdigest()[:32]
