"""A record that a job could not use, with all that is needed to look at it and to send it again."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, Event, Identifier


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One header of a record."""

    name: str
    """Its name, which other headers of the record may have too."""
    value: Annotated[bytes, MASKED] | None
    """Its value, byte for byte."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What a record has in full, where its letter has only the beginnings of it."""

    key_bytes: int | None
    """Length of the record's key; null if it had none."""
    payload_bytes: int | None
    """Length of the record's value; null if it had none."""
    payload_sha256: str | None
    """SHA-256 of the record's value, hexadecimal."""
    headers: Annotated[int, msgspec.Meta(ge=0)]
    """Number of the record's headers."""


class DeadLetter(Event, frozen=True, kw_only=True):
    """One rejected or late record. Keyed by the record's own key.

    `event_id` is `topic-partition-offset` of the record, so that a restart of the job that writes it again is
    seen to be the same. `event_time` is the record's timestamp. Bytes are base64 on the wire. A letter takes no more
    than a topic does: what is longer is cut, and `cut` says so.

    An event that a job could not write, since it takes more than a topic does, has such a letter as well. It was never
    in a topic: `source_topic` is where it was to go, partition and offset are -1.
    """

    event_type: Literal["dead_letter"] = "dead_letter"
    """Always `dead_letter`."""
    source_topic: Identifier
    """The topic that the record was read from."""
    source_partition: Annotated[int, msgspec.Meta(ge=-1)]
    """Its partition there."""
    source_offset: Annotated[int, msgspec.Meta(ge=-1)]
    """Its offset in the partition."""
    source_key: Annotated[bytes, MASKED] | None
    """The record's key, byte for byte; null if it had none."""
    source_headers: Annotated[dict[str, bytes | None], MASKED]
    """The record's headers by name, byte for byte; of a name that is repeated, the last."""
    payload: Annotated[bytes, MASKED] | None
    """The record's value, byte for byte; null only if it had none."""
    reason: Annotated[str, MASKED]
    """What was wrong, in words."""
    rejected_by: Identifier
    """Name of the job or pipeline."""
    source_time: int | None = None
    """The record's timestamp in UTC milliseconds if `event_time` can't say it: before 1970 or after the year 9999."""
    header_list: tuple[Header, ...] | None = None
    """All headers in their order, if the record has several."""
    cut: Cut | None = None
    """Set if key, headers, reason or payload are only beginnings; the record itself has the whole of them."""
