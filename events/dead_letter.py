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
    source_topic: Identifier
    source_partition: Annotated[int, msgspec.Meta(ge=0)]
    source_offset: Annotated[int, msgspec.Meta(ge=0)]
    source_key: bytes | None
    source_headers: dict[str, bytes | None]
    payload: bytes | None
    """The record's value, byte for byte; null only if it had none."""
    reason: str
    """What was wrong, in words."""
    rejected_by: Identifier
    """Name of the job or pipeline."""
