"""Payments of which each card has the same number in any 24 hours: made fast, for loads and for how figures grow.

Nearly none of them breaks a rule. Bursts are spread evenly among them, each on a card of its own, of which the last
payment must alert: they show how far a job is, and whether it judges. Knows neither Flink nor Kafka.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from connectors.kafka.topics import PAYMENTS
from events import Payment

DAY_MS = 86_400_000
BURST = 12
"""Number of payments of one card within ten minutes that alerts. By the default rules it would be 6, which a card with
1,000 payments a day makes anyway."""
CYCLE, QUICK_BURST = 240, 6
"""Payments of a stream for each alert, and the number of them, the last ones, that alert by the default rules."""
STRIDE = 7_919
"""Step in which cards take turns (a prime): neighbours by name aren't neighbours in time."""

_TEMPLATE = (
    b'{"event_id":"payment-%(number)08d-1","event_time":%(time)d,"event_type":"payment",'
    b'"payment_id":"payment-%(number)08d","order_id":null,%(card)b,%(merchant)b,"amount_minor":%(amount)d,'
    b'"currency":"EUR","base_amount_minor":%(amount)d,"base_currency":"EUR","status":"%(status)b"}'
)
_CARD = (
    '"customer_id":"customer-{name}","card_id":"{name}","country":"{country}","latitude":{latitude},'
    '"longitude":{longitude},"device_id":"{device}-{name}","channel":"{channel}"'
)
_PLACES = (("DE", 52.51783, 13.41149), ("FR", 48.85712, 2.35001), ("ES", 41.41085, 2.15577), ("IT", 45.4642, 9.19))
_DEVICES = (("phone", "online"), ("browser", "online"), ("terminal", "card_present"))
_CATEGORIES = ("grocery", "electronics", "digital", "marketplace", "subscription", "restaurant", "fuel")
_MERCHANTS = tuple(
    f'"merchant_id":"{category}-merchant-{number}","merchant_category":"{category}"'.encode()
    for number in range(7)
    for category in _CATEGORIES
)
_LEAST_MINOR, _AMOUNTS = 10_00, 38_03


BY_KEY = -1
"""Instead of a partition: the producer chooses it by the key."""


class Record(NamedTuple):
    """A record for Kafka."""

    partition: int
    """Number of the partition, or BY_KEY."""
    key: bytes
    value: bytes
    time: int
    """Event time, UTC milliseconds."""


@dataclass(frozen=True)
class Turns:
    """Order and times of payments: the cards take turns."""

    cards: int
    day_events: int
    """Payments of each card in any 24 hours."""

    @property
    def interval_ms(self) -> int:
        """Time between two payments of a card, such that one payment more would be outside the window."""
        return DAY_MS // self.day_events + 1

    def after(self, turn_taken: int) -> int:
        """Return the event time from the first ordinary payment to the one with this number."""
        turn, place = divmod(turn_taken, self.cards)
        return turn * self.interval_ms + place * self.interval_ms // self.cards

    def payers(self) -> list["_Card"]:
        """Return all cards."""
        return [_card(f"card-{number:07d}", number) for number in range(self.cards)]

    def record(self, payers: Sequence["_Card"], turn_taken: int, number: int, time: int) -> Record:
        """Return the record of an ordinary payment.

        Args:
            turn_taken: its number among the ordinary payments.
            number: its number among all payments.
        """
        turn, place = divmod(turn_taken, self.cards)
        card = place * STRIDE % self.cards
        return _record(payers[card], card, number, time, is_declined=turn % 20 == card % 20)


@dataclass(frozen=True)
class Shape(Turns):
    """Number and kinds of the payments of a catch-up."""

    measured: int
    """Payments after each card has its number."""
    bursts: int

    @property
    def warming(self) -> int:
        """Payments before those that are measured: until all cards have their number, and, to warm up the JVM, at least
        as many as are measured."""
        return max(self.cards * self.day_events, self.measured)

    @property
    def ordinary(self) -> int:
        """Payments that are in no burst."""
        return self.warming + self.measured

    @property
    def payments(self) -> int:
        """Number of all payments."""
        return self.ordinary + self.bursts * BURST

    @property
    def warm_share(self) -> float:
        """Share of the payments, and so of the bursts, that is not measured."""
        return self.warming / self.ordinary

    @property
    def span_ms(self) -> int:
        """Event time from the first payment to the last."""
        return self.after(self.ordinary) + BURST

    def records(self, end_ms: int) -> Iterator[Record]:
        """Generate the records in the order of their times up to the end, each card's in one partition."""
        start_ms = end_ms - self.span_ms
        payers = self.payers()
        bursts = 0
        for number in range(self.ordinary):
            time = start_ms + self.after(number)
            yield self.record(payers, number, number, time)
            if (number + 1) * self.bursts // self.ordinary > bursts:
                yield from self._burst(bursts, time)
                bursts += 1

    def bursting(self, end_ms: int) -> Iterator[Payment]:
        """Generate the payments of the bursts alone."""
        start_ms = end_ms - self.span_ms
        for burst in range(self.bursts):
            # The burst follows the ordinary payment with which its share of them is complete.
            number = -(-(burst + 1) * self.ordinary // self.bursts) - 1
            for record in self._burst(burst, start_ms + self.after(number)):
                yield msgspec.json.decode(record.value, type=Payment)

    def _burst(self, burst: int, time: int) -> Iterator[Record]:
        card = _card(f"burst-{burst:06d}", burst)
        first = self.ordinary + burst * BURST
        for each in range(BURST):
            yield _record(card, burst, first + each, time + 1 + each, is_declined=False)


@dataclass(frozen=True)
class Stream(Turns):
    """Payments without end, numbered from 0, that can be sent at any load.

    Their time runs as fast as their number grows, however fast they are sent: state is as large at any load.
    """

    start_ms: int
    """Event time of the first one."""

    def records(self, first: int, end: int) -> Iterator[Record]:
        """Generate the records from number `first` to before `end`, in order, each card's in one partition."""
        payers = self.payers()
        return (self._record(payers, number) for number in range(first, end))

    def bursting(self, first: int, end: int) -> Iterator[Payment]:
        """Generate the payments of the bursts alone."""
        for number in range(first, end):
            if number % CYCLE >= CYCLE - QUICK_BURST:
                yield msgspec.json.decode(self._record((), number).value, type=Payment)

    def _record(self, payers: Sequence["_Card"], number: int) -> Record:
        cycle, place = divmod(number, CYCLE)
        ordinary = CYCLE - QUICK_BURST
        turn_taken = cycle * ordinary + min(place, ordinary - 1)
        time = self.start_ms + self.after(turn_taken)
        if place < ordinary:
            return self.record(payers, turn_taken, number, time)
        card = _card(f"burst-{cycle:06d}", cycle)
        return _record(card, cycle, number, time + 1 + place - ordinary, is_declined=False)


class _Card(NamedTuple):
    key: bytes
    fields: bytes


def _card(name: str, number: int) -> _Card:
    country, latitude, longitude = _PLACES[number % len(_PLACES)]
    device, channel = _DEVICES[number % len(_DEVICES)]
    fields = _CARD.format(
        name=name, country=country, latitude=latitude, longitude=longitude, device=device, channel=channel
    )
    return _Card(name.encode(), fields.encode())


def _record(card: _Card, card_number: int, number: int, time: int, *, is_declined: bool) -> Record:
    value = _TEMPLATE % {
        b"number": number,
        b"time": time,
        b"card": card.fields,
        b"merchant": _MERCHANTS[(number + card_number) % len(_MERCHANTS)],
        b"amount": _LEAST_MINOR + number * 31 % _AMOUNTS,
        b"status": b"declined" if is_declined else b"authorized",
    }
    return Record(card_number % PAYMENTS.partitions, card.key, value, time)
