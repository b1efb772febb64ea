"""Messages that one recipient gets, found by looking at every minute: for events at whole minutes, none of them late.

Knows neither timers nor state nor order of arrival: only what holds in a minute, and what may be sent in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from connectors.kafka.topics import MINUTE_MS
from events import CustomerVersion, EnrichedOrder

HOUR_MS = 60 * MINUTE_MS


class QuietHours(Protocol):
    """From one time of day to another, perhaps of the next day, `hh:mm` in the recipient's time zone."""

    @property
    def begin(self) -> str: ...

    @property
    def end(self) -> str: ...


class OccasionRule(Protocol):
    """How one kind of occasion is sent."""

    @property
    def critical(self) -> bool:
        """Whether it is sent at once: in quiet hours, beyond the limit, and to customers who opted out."""

    @property
    def sent(self) -> bool:
        """Whether it is sent at all."""


class Policy(Protocol):
    """Values of the notification policy."""

    @property
    def messages_per_hour(self) -> int: ...

    @property
    def wait_for_customer_hours(self) -> int: ...

    @property
    def quiet_hours(self) -> QuietHours | None: ...

    @property
    def occasion(self) -> Mapping[Any, OccasionRule]:
        """Rules by kind of occasion."""


@dataclass
class Expected:
    """Expected outcome for a recipient's orders."""

    messages: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    """Time, address, and ids of the events that it contains."""
    dropped: list[str] = field(default_factory=list)
    """Ids of the events that the customer opted out of."""
    rejected: list[str] = field(default_factory=list)
    """Ids of the events whose customer stayed unknown."""


def expected(
    policy: Policy,
    customers: Sequence[CustomerVersion],
    orders: Iterable[EnrichedOrder],
    first_minute: int,
    last_minute: int,
) -> Expected:
    """Return what becomes of complete orders, each in one revision.

    Args:
        customers: versions of the recipient, who doesn't move to another time zone.
    """
    outcome = Expected()
    remaining = sorted(orders, key=lambda order: (order.event_time, order.order_id))
    waiting: list[EnrichedOrder] = []
    held: list[EnrichedOrder] = []
    sent: list[int] = []
    for minute in range(first_minute, last_minute, MINUTE_MS):
        customer = _newest(customers, minute)
        new, remaining = _split(remaining, minute)
        if customer is None:
            wait_ms = policy.wait_for_customer_hours * HOUR_MS
            overdue = [order for order in waiting if order.event_time + wait_ms <= minute]
            outcome.rejected += [order.event_id for order in overdue]
            waiting = [order for order in waiting if order not in overdue] + new
            continue
        wants = not (customer.deleted or customer.notifications_opt_out)
        if held and _may_send(policy, customer, sent, minute):
            if wants:
                outcome.messages.append((minute, customer.email, frozenset(order.event_id for order in held)))
                sent.append(minute)
            else:
                outcome.dropped += [order.event_id for order in held]
            held = []
        for order in [*waiting, *new]:
            if not wants:
                outcome.dropped.append(order.event_id)
            elif held or not _may_send(policy, customer, sent, minute):
                held.append(order)
            else:
                outcome.messages.append((minute, customer.email, frozenset([order.event_id])))
                sent.append(minute)
        waiting = []
    return outcome


def is_quiet(quiet: QuietHours | None, time_zone: str, at_ms: int) -> bool:
    """Return whether the clock shows quiet hours.

    Right unless they begin or end in an hour that a change of the clocks skips or repeats.
    """
    if quiet is None:
        return False
    shown = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone)).time()
    begin, end = time.fromisoformat(quiet.begin), time.fromisoformat(quiet.end)
    return begin <= shown < end if begin < end else shown >= begin or shown < end


def _newest(customers: Iterable[CustomerVersion], minute: int) -> CustomerVersion | None:
    valid = (version for version in customers if version.event_time <= minute)
    return max(valid, key=lambda version: version.lsn, default=None)


def _split(orders: Sequence[EnrichedOrder], minute: int) -> tuple[list[EnrichedOrder], list[EnrichedOrder]]:
    """Return the orders of that minute, and the others."""
    return (
        [order for order in orders if order.event_time == minute],
        [order for order in orders if order.event_time != minute],
    )


def _may_send(policy: Policy, customer: CustomerVersion, sent: Sequence[int], minute: int) -> bool:
    within_the_hour = [each for each in sent if each > minute - HOUR_MS]
    is_free = len(within_the_hour) < policy.messages_per_hour
    return is_free and not is_quiet(policy.quiet_hours, customer.time_zone, minute)
