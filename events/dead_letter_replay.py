"""That a dead letter's record was sent again, so that it isn't sent twice by accident."""

from typing import Annotated, Literal

import msgspec

from events.base import Event, EventTime, Identifier


class DeadLetterReplay(Event, frozen=True, kw_only=True):
    """A rejected record went back to its topic. Keyed by `letter_id`; of one key the last one holds.

    It is written in the same transaction as the record. `event_id` is the letter's id and how often it was sent;
    `event_time` is when.
    """

    event_type: Literal["dead_letter_replay"] = "dead_letter_replay"
    """Always `dead_letter_replay`."""
    letter_id: Identifier
    """`event_id` of the dead letters that the record has, which may be several: one for each job that rejected it."""
    source_topic: Identifier
    """The topic that it was read from, and that it went back to."""
    source_partition: Annotated[int, msgspec.Meta(ge=0)]
    """Its partition there when it was rejected."""
    source_offset: Annotated[int, msgspec.Meta(ge=0)]
    """Its offset in that partition."""
    source_time: EventTime
    """The record's timestamp: a topic that was made anew counts its offsets from 0 again."""
    times: Annotated[int, msgspec.Meta(ge=1)]
    """How often the letter's record was sent again, this time included."""
    sent_partition: Annotated[int, msgspec.Meta(ge=0)]
    """The partition that it was sent to."""
    sent_offset: Annotated[int, msgspec.Meta(ge=0)]
    """Its offset there."""
    fix: str
    """What has changed it: a function and the digest of its file, or an edited export; empty if it wasn't changed."""
    replayed_by: Identifier
    """Who has sent it."""
