"""Faults between a service and Kafka, all seeded: duplicates, disorder, bad records, late records, a wrong clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from random import Random

import msgspec

from connectors.kafka.topics import Topic
from events import Event, Order, Payment
from local.simulator.outgoing import BAD, DUPLICATE, GOOD, Outgoing, Planned
from local.simulator.world.timetable import OptionsError

SHUFFLED_SHARE = 0.3
"""Share of the records that are delayed at all when records are out of order."""
RETRY_MS = (500, 5_000)
"""Range of the delay between a record and its duplicate, in milliseconds."""

BAD_KINDS = ("truncated", "wrong_type", "missing_field", "not_utf8", "empty")
NUMBER_FIELDS: dict[type[Event], str] = {Payment: "amount_minor", Order: "total_minor"}
REQUIRED_FIELDS: dict[type[Event], tuple[str, ...]] = {
    Payment: ("payment_id", "card_id", "amount_minor", "merchant_id"),
    Order: ("order_id", "customer_id", "total_minor", "lines"),
}
WRONG_VALUES: tuple[object, ...] = ("plenty", True, ["12"], {"value": 12})


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Kinds and amounts of faults. Shares refer to the payments or orders."""

    duplicates: float = 0.0
    """Share of records with a duplicate: sent again a little later, under a new event_id."""
    out_of_order_seconds: float = 0.0
    """Maximum delay of records; their event time stays correct."""
    late: float = 0.0
    """Share that arrives later than `out_of_order_seconds` allows; some by more than a day."""
    bad: float = 0.0
    """Share that is followed by a bad record; its kinds take turns."""
    clock_skew_seconds: float = 0.0
    """How far the service's clock is ahead (or, if negative, behind): shifts all event times."""

    def __post_init__(self) -> None:
        for name in ("duplicates", "late", "bad"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionsError(f"{name} is a share, from 0 to 1, not {getattr(self, name)}")
        if self.out_of_order_seconds < 0:
            raise OptionsError(f"out_of_order_seconds can't be negative, as {self.out_of_order_seconds} is")


NO_FAULTS = Faults()


def disturb(planned: Iterable[Planned], topic: Topic, faults: Faults, random: Random) -> Iterator[Outgoing]:
    """Yield the records as they are sent, in order of `send_at_ms`.

    Takes `planned` in order of `send_at_ms`, and looks ahead no further than the delays need.
    """
    waiting: list[tuple[int, int, Outgoing]] = []
    sequence = count()
    disturbance = _Disturbance(topic, faults, random)
    for item in planned:
        for outgoing in disturbance.records(item):
            heappush(waiting, (outgoing.send_at_ms, next(sequence), outgoing))
        while waiting and waiting[0][0] <= item.send_at_ms:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def bad_bytes(kind: str, event: Event, random: Random) -> bytes:
    """Return bytes that no reader can decode as an event of that type, made from one."""
    value = msgspec.json.encode(event)
    match kind:
        case "truncated":
            return value[: random.randint(1, len(value) - 1)]
        case "wrong_type":
            return _changed(value, {NUMBER_FIELDS[type(event)]: random.choice(WRONG_VALUES)})
        case "missing_field":
            return _changed(value, {random.choice(REQUIRED_FIELDS[type(event)]): msgspec.UNSET})
        case "not_utf8":
            middle = value.index(b'_id":"') + len(b'_id":"')
            return value[:middle] + b"\xff\xfe" + value[middle:]
        case "empty":
            return b""
    raise ValueError(f"{kind!r} is not a kind of bad record; there are {', '.join(BAD_KINDS)}")


def _changed(value: bytes, changes: dict[str, object]) -> bytes:
    fields = msgspec.json.decode(value, type=dict[str, object]) | changes
    return msgspec.json.encode({name: field for name, field in fields.items() if field is not msgspec.UNSET})


class _Disturbance:
    def __init__(self, topic: Topic, faults: Faults, random: Random) -> None:
        self._topic, self._faults, self._random = topic, faults, random
        self._skew_ms = round(faults.clock_skew_seconds * 1000)
        self._bad_count = 0

    def records(self, item: Planned) -> Iterator[Outgoing]:
        """Yield the event's record, its duplicate, and the bad record that follows it."""
        delay_ms = self._delay_ms() if item.kind == GOOD else 0
        record = self._record(replace(item, send_at_ms=item.send_at_ms + delay_ms) if delay_ms else item)
        yield record
        if item.kind == GOOD and self._happens(self._faults.duplicates):
            yield self._record(self._duplicate(item, record.send_at_ms))
        if self._happens(self._faults.bad):
            yield self._bad_record(item)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def _delay_ms(self) -> int:
        bound_ms = round(self._faults.out_of_order_seconds * 1000)
        return self._random.randint(0, bound_ms) if bound_ms and self._random.random() < SHUFFLED_SHARE else 0

    def _record(self, item: Planned) -> Outgoing:
        event = item.event
        if self._skew_ms:
            event = msgspec.structs.replace(event, event_time=event.event_time + self._skew_ms)
        return Outgoing(
            topic=self._topic,
            key=key_of(event, self._topic),
            timestamp_ms=event.event_time,
            send_at_ms=item.send_at_ms,
            kind=item.kind,
            event=event,
            pattern=item.pattern,
            incident_id=item.incident_id,
        )

    def _duplicate(self, item: Planned, sent_at_ms: int) -> Planned:
        """Return the duplicate that a producer sends when it gets no answer."""
        later_ms = self._random.randint(*RETRY_MS)
        event = msgspec.structs.replace(
            item.event, event_id=f"{item.event.event_id}-again", event_time=item.event.event_time + later_ms
        )
        return Planned(event, sent_at_ms + later_ms, DUPLICATE, item.pattern, item.incident_id)

    def _bad_record(self, item: Planned) -> Outgoing:
        kind = BAD_KINDS[self._bad_count % len(BAD_KINDS)]
        self._bad_count += 1
        own_ids = {
            name: f"{getattr(item.event, name)}-is-bad"
            for name in ("event_id", "payment_id", "order_id")
            if getattr(item.event, name, None) is not None
        }
        event = msgspec.structs.replace(item.event, **own_ids)
        return Outgoing(
            topic=self._topic,
            key=key_of(item.event, self._topic),
            timestamp_ms=item.event.event_time + self._skew_ms,
            send_at_ms=item.send_at_ms,
            kind=f"{BAD}:{kind}",
            event=None,
            bad_value=bad_bytes(kind, event, self._random),
        )


def key_of(event: Event, topic: Topic) -> bytes:
    """Return the record's key: the field of the event that the topic is keyed by."""
    return str(getattr(event, topic.key)).encode()
