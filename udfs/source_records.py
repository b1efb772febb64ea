"""Kafka records with their coordinates, as decisions take them and dead letters need them."""

from collections.abc import Mapping

import msgspec

from events import DeadLetter


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A Kafka record, byte for byte."""

    topic: str
    partition: int
    offset: int
    event_time: int
    """Timestamp of the record, in UTC milliseconds."""
    key: bytes | None
    headers: Mapping[str, bytes | None]
    payload: bytes | None
    """Value of the record."""

    def dead_letter(self, reason: str, job: str) -> DeadLetter:
        """Return the dead letter of the record, as rejected by `job`."""
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
