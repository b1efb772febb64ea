"""One message to one person: what is to be said, to whom, by which way, and why."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, CardId, Currency, Event, EventTime, Identifier, MinorUnits


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened and is told: an order, or a step of a fraud case."""

    kind: Literal["fraud_suspected", "fraud_escalated", "fraud_closed", "order_confirmed", "order_completed"]
    """What is said about it; what isn't known of an order yet follows when it is."""
    occasion_id: Identifier
    """`event_id` of the event that told of it, in `fraud-alerts` or `enriched-orders`."""
    happened_at: EventTime
    """Its event time."""
    subject_id: CardId
    """The order's id, or the card's."""
    amount_minor: MinorUnits
    """Total of the order or of the suspicious payments, in minor units of `currency`."""
    currency: Currency
    details: Annotated[tuple[str, ...], MASKED]
    """What was ordered, a line each as `quantity name`; or the descriptions of the rules that were broken."""


class Notification(Event, frozen=True, kw_only=True):
    """One message, ready to be sent. Keyed by `recipient`.

    `event_id` is derived from its occasions, so that what is decided again after a restart or in a replay is seen to
    be the same message; whoever delivers drops what it has delivered. `event_time` is the moment at which it was
    decided that it goes out: that of its occasion, or later if it was held back.
    """

    event_type: Literal["notification"] = "notification"
    """Always `notification`."""
    recipient: Identifier
    """The customer's id."""
    recipient_name: Annotated[str, MASKED]
    """How the customer is addressed."""
    channel: Literal["email"]
    """By which way it goes."""
    address: Annotated[str, MASKED]
    """Where it goes there: the customer's e-mail address as it was when the message was decided."""
    template: Literal["fraud_warning", "order_confirmation", "digest"]
    """Which words: `digest` tells of several occasions at once."""
    language: Identifier
    """ISO 639-1 code of the language that the customer is addressed in."""
    time_zone: Identifier
    """IANA name; times are told to the customer in it."""
    reason: Annotated[str, msgspec.Meta(min_length=1)]
    """Why it goes out now, by which rule of the policy, in words."""
    policy_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of the policy that decided."""
    payload: Annotated[tuple[Occasion, ...], msgspec.Meta(min_length=1)]
    """What is told, oldest first; exactly one unless it is a digest."""
