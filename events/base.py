"""What every event has in common."""

from typing import Annotated

import msgspec

EventTime = Annotated[int, msgspec.Meta(ge=0, description="UTC, milliseconds since 1970-01-01")]
MinorUnits = Annotated[int, msgspec.Meta(description="money in the currency's minor unit, e.g. cents")]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]

MASKED = msgspec.Meta(extra={"masked": True})
"""Marks a field whose value is personal or secret: `ops` shows its length only. It is not part of the JSON Schema."""
CardId = Annotated[Identifier, msgspec.Meta(extra={"masked": True, "shown_end": 4})]
"""Masked, except for enough of its end to distinguish cards."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that some service published. Field names are the same from producer to warehouse."""

    event_id: Identifier
    """Unique per fact; a repeated delivery carries the same one."""
    event_time: EventTime
    """When it happened, UTC milliseconds. It is also the Kafka record's timestamp."""
