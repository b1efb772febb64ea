"""Where does a decision's input come from? A record with its place in a topic, as a dead letter needs it."""

from collections.abc import Mapping

import msgspec

from events import DeadLetter


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A Kafka record, byte for byte."""

    topic: str
    partition: int
    offset: int
    event_time: int
    """UTC milliseconds; the record's timestamp."""
    key: bytes | None
    headers: Mapping[str, bytes | None]
    payload: bytes | None
    """The record's value."""

    def dead_letter(self, reason: str, job: str) -> DeadLetter:
        """The record as rejected by `job`."""
        return DeadLetter(
            event_id=f"{self.topic}-{self.partition}-{self.offset}",
            event_time=self.event_time,
            source_topic=self.topic,
            source_partition=self.partition,
            source_offset=self.offset,
            source_key=self.key,
            source_headers=dict(self.headers),
            payload=self.payload,
            reason=reason,
            rejected_by=job,
        )
