"""Checks notifications and e-mails against policy, orders, alerts and the shop.

It derives from the policy why something was not sent, independently of the job.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from events import EnrichedOrder, FraudAlert, Notification
from local.demo.checks.finding import Finding, some
from local.simulator.shop.rows import CustomerRow
from local.simulator.shop.shop_ledger import Version
from local.simulator.world.places import HOUR_MS
from udfs.notifications.notification_policy import Kind, Policy
from udfs.notifications.quiet_hours import quiet_until, time_zone

SWITCHED_OFF = "not sent by the policy"
OPTED_OUT = "opted out"
GONE = "customer gone"
UNKNOWN = "waiting for the customer"
QUIET = "held until morning"
LIMITED = "held by the limit"
SAID_ALREADY = "nothing new"

SOON_MS = 120_000
"""Time after an event's time within which it is decided, unless it is late."""
_KINDS: Mapping[str, Kind] = {
    "fraud_alert.opened": "fraud_suspected",
    "fraud_alert.escalated": "fraud_escalated",
    "fraud_alert.closed": "fraud_closed",
}


@dataclass(frozen=True)
class News:
    """A record that customers are notified of."""

    event_id: str
    kind: Kind
    customer_id: str
    event_time: int
    decided_by: int
    """Latest time of its decision, in UTC milliseconds."""
    first: str = ""
    """`event_id` of the order's first revision, if this is a later one."""
    adds: bool = True
    """Whether it has more information than the first one."""


@dataclass(frozen=True)
class Told:
    """Events to be sent, and the notifications that were."""

    policy: Policy
    news: Sequence[News]
    notifications: Sequence[Notification]
    customers: Mapping[str, Sequence[Version]]
    """Versions by customer id, the first one first."""

    @cached_property
    def told(self) -> Counter[str]:
        """Number of different notifications by id of the event."""
        unique = {each.event_id: each for each in self.notifications}
        return Counter(occasion.occasion_id for each in unique.values() for occasion in each.payload)

    @cached_property
    def untold(self) -> Mapping[str, str]:
        """Reason why it wasn't sent, by id of the event; empty if there is none."""
        return {each.event_id: self._why_not(each) for each in self.news if each.event_id not in self.told}

    @cached_property
    def reasons(self) -> Counter[str]:
        """Number of events that weren't sent, by reason."""
        return Counter(reason for reason in self.untold.values() if reason)

    @property
    def unexplained(self) -> list[str]:
        """Ids of events that should have been sent."""
        return [event_id for event_id, reason in self.untold.items() if not reason]

    @cached_property
    def _by_id(self) -> Mapping[str, News]:
        return {each.event_id: each for each in self.news}

    @cached_property
    def _times_by_recipient(self) -> Mapping[str, list[int]]:
        times: dict[str, list[int]] = {}
        for each in {each.event_id: each for each in self.notifications}.values():
            if not any(self.policy.occasion[occasion.kind].critical for occasion in each.payload):
                times.setdefault(each.recipient, []).append(each.event_time)
        return times

    def _why_not(self, news: News) -> str:
        rule = self.policy.occasion[news.kind]
        rows = self.rows(news)
        if not rule.sent:
            return SWITCHED_OFF
        if not rows:
            return GONE if self._is_deleted(news) else UNKNOWN
        return "" if rule.critical else self._why_not_yet(news, rows)

    def _why_not_yet(self, news: News, rows: Sequence[CustomerRow]) -> str:
        first = self._by_id.get(news.first)
        recent = [at for at in self._times_by_recipient.get(news.customer_id, ()) if at > news.event_time - HOUR_MS]
        if any(row.notifications_opt_out for row in rows):
            return OPTED_OUT
        if first and (not news.adds if first.event_id in self.told else self._why_not(first)):
            return SAID_ALREADY
        if any(self._is_quiet(row, at) for row in rows for at in (news.event_time, news.decided_by)):
            return QUIET
        return LIMITED if len(recent) >= self.policy.messages_per_hour else ""

    def must_not(self, news: News) -> bool:
        """Return whether it was wrong to send the event."""
        rule = self.policy.occasion[news.kind]
        if not rule.sent:
            return True
        rows = self.rows(news)
        if rule.critical or not rows:
            return False
        return all(
            row.notifications_opt_out or (self._is_quiet(row, news.event_time) and self._is_quiet(row, news.decided_by))
            for row in rows
        )

    def rows(self, news: News) -> list[CustomerRow]:
        """Return the customer's rows that were valid at any time from the event to its decision."""
        versions = self.customers.get(news.customer_id, ())
        before = [each for each in versions if (each.valid_from or 0) <= news.event_time][-1:]
        during = [each for each in versions if news.event_time < (each.valid_from or 0) <= news.decided_by]
        return [each.row for each in (*before, *during) if isinstance(each.row, CustomerRow) and not each.is_deleted]

    def _is_deleted(self, news: News) -> bool:
        return any(each.is_deleted for each in self.customers.get(news.customer_id, ()))

    def _is_quiet(self, row: CustomerRow, at: int) -> bool:
        zone, hours = time_zone(row.time_zone), self.policy.quiet_hours
        return zone is not None and hours is not None and quiet_until(hours, zone, at) is not None


def news_of(alerts: Iterable[FraudAlert], enriched: Iterable[EnrichedOrder], seen_by: int) -> list[News]:
    """Return the events that customers are to be notified of.

    Args:
        seen_by: UTC milliseconds; all of them had arrived by then.
    """
    found = [
        News(alert.event_id, _KINDS[alert.event_type], alert.customer_id, alert.event_time, alert.event_time + SOON_MS)
        for alert in alerts
    ]
    enriched = list(enriched)
    known = {(order.order_id, order.revision): order for order in enriched}
    for order in enriched:
        first = known.get((order.order_id, 1), order)
        before = known.get((order.order_id, order.revision - 1), order)
        is_first = order.revision == 1
        named = {each for each in before.missing if each.startswith("product:")} - set(order.missing)
        # A confirmation that had to wait for its customer also contained the product names known by then.
        adds = bool(named) and before.customer_name is not None
        found.append(
            News(
                event_id=order.event_id,
                kind="order_confirmed" if is_first else "order_completed",
                customer_id=order.customer_id,
                event_time=order.event_time,
                decided_by=max(seen_by, order.event_time),
                first="" if is_first else first.event_id,
                adds=adds,
            )
        )
    return found


def findings(told: Told, mailed: Sequence[str], most_copies: int = 0) -> Iterator[Finding]:
    """Yield the checks of notifications and e-mails.

    Args:
        mailed: ids of the notifications that are in the mailbox, one per e-mail.
        most_copies: how many e-mails the notifier may have sent twice, since their answers were lost.
    """
    reasons = "".join(f" + {count:,} {reason}" for reason, count in sorted(told.reasons.items()))
    by_id = {each.event_id: each for each in told.news}
    yield Finding(
        "each alert and order is told, or the policy says why not",
        f"{len(told.news):,} = {len(by_id.keys() & told.told.keys()):,} told{reasons}{some(told.unexplained)}",
        not told.unexplained and told.told.keys() <= by_id.keys(),
    )
    twice = [event_id for event_id, count in told.told.items() if count > 1]
    yield Finding("nothing is told twice", f"{len(told.told):,} occasions{some(twice)}", not twice)
    wrong = [event_id for event_id in told.told if event_id in by_id and told.must_not(by_id[event_id])]
    yield Finding(
        "nobody is told who opted out or is asleep, unless of fraud", f"{len(wrong):,}{some(wrong)}", not wrong
    )
    ids, mails = {each.event_id for each in told.notifications}, Counter(mailed)
    copied = [event_id for event_id, count in mails.items() if count > 1]
    copies = f" + {len(mailed) - len(mails):,} sent again, of {most_copies:,} at most" if copied or most_copies else ""
    yield Finding(
        "notifications = mails, by id; copies by lost answers only",
        f"{len(ids):,} = {len(mails):,}{copies}{some([*(ids ^ mails.keys()), *copied])}",
        ids == mails.keys() and len(mailed) - len(mails) <= most_copies,
    )
