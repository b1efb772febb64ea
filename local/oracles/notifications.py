"""What one recipient is told, by looking at every minute: for events at whole minutes, none of them late.

Knows neither timers nor state nor arrival: only what holds in a minute, and what may go out in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from udfs.notifications.decisions import Contact, News
from udfs.notifications.notification_policy import Policy, QuietHours

MINUTE_MS = 60_000


@dataclass
class Expected:
    """Everything that becomes of some news, by what tells them apart."""

    messages: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    """When, to which address, about which news."""
    dropped: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)


def expected(
    policy: Policy, contacts: Sequence[Contact], orders: Sequence[News], first_minute: int, last_minute: int
) -> Expected:
    """Of complete orders, each in one revision, and a customer who doesn't move to another zone."""
    outcome = Expected()
    remaining = sorted(orders, key=lambda each: (each.happened_at, each.subject_id))
    waiting: list[News] = []
    held: list[News] = []
    sent: list[int] = []
    for minute in range(first_minute, last_minute, MINUTE_MS):
        contact = newest(contacts, minute)
        new, remaining = split(remaining, minute)
        if contact is None:
            overdue = [
                each for each in waiting if each.happened_at + policy.wait_for_customer_hours * 60 * MINUTE_MS <= minute
            ]
            outcome.rejected += [each.event_id for each in overdue]
            waiting = [each for each in waiting if each not in overdue] + new
            continue
        wants = not (contact.deleted or contact.opted_out)
        if held and may_send(policy, contact, sent, minute):
            if wants:
                outcome.messages.append((minute, contact.address, frozenset(each.event_id for each in held)))
                sent.append(minute)
            else:
                outcome.dropped += [each.event_id for each in held]
            held = []
        for each in [*waiting, *new]:
            if not wants:
                outcome.dropped.append(each.event_id)
            elif held or not may_send(policy, contact, sent, minute):
                held.append(each)
            else:
                outcome.messages.append((minute, contact.address, frozenset([each.event_id])))
                sent.append(minute)
        waiting = []
    return outcome


def newest(contacts: Iterable[Contact], minute: int) -> Contact | None:
    return max((each for each in contacts if each.valid_from <= minute), key=lambda each: each.lsn, default=None)


def split(news: Sequence[News], minute: int) -> tuple[list[News], list[News]]:
    return [each for each in news if each.happened_at == minute], [each for each in news if each.happened_at != minute]


def may_send(policy: Policy, contact: Contact, sent: Sequence[int], minute: int) -> bool:
    within_the_hour = [each for each in sent if each > minute - 60 * MINUTE_MS]
    return len(within_the_hour) < policy.messages_per_hour and not is_quiet(policy.quiet_hours, contact, minute)


def is_quiet(quiet: QuietHours | None, contact: Contact, minute: int) -> bool:
    """By what the clock shows: right on days on which clocks don't change."""
    if quiet is None:
        return False
    shown = datetime.fromtimestamp(minute / 1000, UTC).astimezone(ZoneInfo(contact.time_zone)).time()
    begin, end = time.fromisoformat(quiet.begin), time.fromisoformat(quiet.end)
    return begin <= shown < end if begin < end else shown >= begin or shown < end
