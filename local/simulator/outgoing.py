"""Records that a service is about to send, with the time of each."""

from dataclasses import dataclass

import msgspec

from connectors.kafka.topics import Topic
from events import Event

GOOD, DUPLICATE, LATE = "good", "duplicate", "late"
BAD = "bad"


@dataclass(frozen=True, slots=True)
class Planned:
    """An event of the simulation, before faults are applied to it."""

    event: Event
    send_at_ms: int
    """Simulated time at which it is sent if nothing delays it: its event time, unless it is late."""
    kind: str = GOOD
    pattern: str | None = None
    incident_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send to a topic: an event, or the bytes of a bad record."""

    topic: Topic
    key: bytes
    timestamp_ms: int
    """Timestamp of the record; of an event, its event time."""
    send_at_ms: int
    """Simulated time at which it is sent."""
    kind: str
    """`good`, `duplicate`, `late`, or `bad:` and the kind of bad record."""
    event: Event | None
    bad_value: bytes = b""
    pattern: str | None = None
    """Name of the fraud pattern that the payment belongs to."""
    incident_id: str | None = None

    def value(self) -> bytes:
        """Return the record's value, byte for byte."""
        return self.bad_value if self.event is None else msgspec.json.encode(self.event)
