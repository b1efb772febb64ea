"""Keyed state of one recipient: versions of the customer, waiting events, held messages, and what was sent.

The structs are encoded as arrays: savepoints depend on the order of the fields, not on their names. A new field comes
last and has a default.
"""

import hashlib
from typing import Literal

import msgspec

from events import Occasion
from udfs.keyed_state import StateCodec
from udfs.notifications.contacts import Contact
from udfs.source_records import SourceRecord

HOUR_MS = 3_600_000

# Limits of one recipient's state, and what happens beyond them; another one is `contacts.MOST_VERSIONS`.
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
MOST_UNNAMED = 100
"""Order lines without a product name; the names of further ones are not sent later."""


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
    """Revision of an order; 1 for other events."""
    lines: tuple[Line, ...]
    record: SourceRecord

    def key(self) -> bytes:
        """Return the key for detecting duplicates: equal for the same event, and for all revisions of an order."""
        identity = self.subject_id if self.kind == "order" else self.event_id
        return hashlib.sha256(f"{self.kind}\x1f{identity}".encode()).digest()[:8]


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
    """Event time at which the held occasions are sent; 0 if there are none."""
    sent_at: tuple[int, ...] = ()
    """Event times of the last messages that weren't critical, at most as many as the limit allows per hour."""
    sent_records: tuple[SentRecord, ...] = ()
    """Received events, at most `MOST_SENT_RECORDS`."""
    next_at: int | None = None
    """Event time of the next timer that would change anything; None if there is nothing to wait for."""


NOBODY = Recipient()
"""A recipient about whom nothing is known."""
RECIPIENT_STATE = StateCodec("notification state", Recipient, version=1, empty=NOBODY)
