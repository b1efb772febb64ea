"""A record that a job could not use, with all that is needed to look at it and to send it again."""

from typing import Annotated, Literal

import msgspec

from events.base import Event, Identifier


class DeadLetter(Event, frozen=True, kw_only=True):
    """One rejected or late record. Keyed by the record's own key.

    `event_id` is `topic-partition-offset` of the record, so that a restart of the job that writes it again is
    seen to be the same. `event_time` is the record's timestamp. Bytes are base64 on the wire.
    """

    event_type: Literal["dead_letter"] = "dead_letter"
    """Always `dead_letter`."""
    source_topic: Identifier
    """The topic that the record was read from."""
    source_partition: Annotated[int, msgspec.Meta(ge=0)]
    """Its partition there."""
    source_offset: Annotated[int, msgspec.Meta(ge=0)]
    """Its offset in the partition."""
    source_key: bytes | None
    """The record's key, byte for byte; null if it had none."""
    source_headers: dict[str, bytes | None]
    """The record's headers by name, byte for byte."""
    payload: bytes | None
    """The record's value, byte for byte; null only if it had none."""
    reason: str
    """What was wrong, in words."""
    rejected_by: Identifier
    """Name of the job or pipeline."""
