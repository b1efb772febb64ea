"""Arrows of the data flow: where each ends, how its results come, and whose event times its records have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.kafka import topics
from connectors.kafka.topics import MINUTE_MS, Topic
from jobs import flow
from jobs.flow import Program

KAFKA = "Kafka"
SINKS = (KAFKA, flow.SEARCH_INDEX.target, flow.WAREHOUSE.target, flow.NOTIFIER.target)
"""Where results end; all but the first are targets of a program."""


@dataclass(frozen=True)
class Arrow:
    """A topic that a program reads, and so the way of its records to where the program writes."""

    program: Program
    topic: Topic

    def __str__(self) -> str:
        """Return its ends."""
        return f"{self.topic.name} → {self.program.name}"

    @property
    def sink(self) -> str:
        """Kind of sink that its results are in."""
        return self.program.target or KAFKA

    @property
    def held(self) -> "Held | None":
        """How its results wait for event time; None if they don't."""
        return HELD.get((self.program.name, self.topic.name))


def _whole_minutes(watermark: int) -> int:
    """Return the end of the last minute that the watermark has passed, in whole."""
    return watermark // MINUTE_MS * MINUTE_MS - 1


@dataclass(frozen=True)
class Held:
    """Results that wait in state until the watermark has passed the event time of their record."""

    step: str
    """Beginning of the names of the steps that hold them back."""
    reached: Callable[[int], int] = lambda watermark: watermark
    """Event time up to which the results are out, by the watermark that each of these steps has emitted."""
    late_waits: bool = False
    """Whether the result of a record that comes after the watermark may wait for the next one; otherwise it is emitted
    at once."""


_SQL_FUNCTION = "ProcessTableFunction"
HELD: Mapping[tuple[str, str], Held] = {
    # An order waits for the versions of its moment. Its first revision counts; corrections may follow for a day.
    (flow.ORDER_ENRICHMENT.name, topics.ORDERS.name): Held(_SQL_FUNCTION),
    # A minute's rows are emitted when it is over. A late order that is the first of its minute sets a timer for a time
    # that has passed, which fires at the next watermark.
    (flow.REVENUE.name, topics.ENRICHED_ORDERS.name): Held(_SQL_FUNCTION, _whole_minutes, late_waits=True),
    # An event is decided in its turn. What the policy then holds back, until the morning or for a customer who isn't
    # known, counts as decided: only the keyed state knows which messages these are.
    (flow.NOTIFICATIONS.name, topics.ENRICHED_ORDERS.name): Held("notify"),
    (flow.NOTIFICATIONS.name, topics.FRAUD_ALERTS.name): Held("notify"),
}
"""Arrows whose results wait for event time, by program and topic. Results of all others are emitted at once: alerts (a
case is closed by time, but that is no result of a payment), documents, rows, mails. A version of a customer or product
has no result of its own where it is joined: it is reflected once it is state."""


class _Occasion(msgspec.Struct):
    happened_at: int


class _Message(msgspec.Struct):
    payload: tuple[_Occasion, ...]


_message = msgspec.json.Decoder(_Message)


def _first_occasion(record: Any) -> int:
    """Return the event time of the first occasion of a notification; a message may go out hours after it."""
    try:
        return min((each.happened_at for each in _message.decode(record.value or b"").payload), default=0)
    except msgspec.MsgspecError:
        return 0


SOURCE_TIMES: Mapping[str, Callable[[Any], int]] = {
    topics.REVENUE.name: lambda record: int(record.timestamp) - (MINUTE_MS - 1),
    topics.NOTIFICATIONS.name: _first_occasion,
}
"""Earliest event time of the orders, payments and changes that a record may come from, by topic. Without an entry it is
the record's own: an enriched order has its order's, an alert that of the payment that caused it, or a later one."""

ARROWS = tuple(Arrow(program, topic) for program in flow.consumers() for topic in program.reads)
"""All arrows, each after those that lead to it."""


def leading_to(sink: str, arrows: Sequence[Arrow] = ARROWS) -> list[Arrow]:
    """Return the arrows on all ways from the sources to a sink."""
    programs = {each.program for each in ARROWS if each.sink == sink}
    for arrow in reversed(ARROWS):
        if arrow.program in programs:
            programs |= {program for program in flow.PROGRAMS if arrow.topic in program.writes}
    return [each for each in arrows if each.program in programs]
