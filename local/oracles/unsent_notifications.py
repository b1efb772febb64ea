"""Alerts and orders that customers are not notified of, each with the reason that the policy gives.

The reason is derived from policy, events and the shop's ledger; where it depends on the order of arrival, any of the
customer's versions from the event to its latest decision may be the reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from events import EnrichedOrder, FraudAlert, Notification
from local.oracles.notifications import HOUR_MS, Policy, is_quiet
from local.simulator.shop.rows import CustomerRow
from local.simulator.shop.shop_ledger import Version

SWITCHED_OFF = "not sent by the policy"
OPTED_OUT = "opted out"
GONE = "customer gone"
UNKNOWN = "waiting for the customer"
QUIET = "held until morning"
LIMITED = "held by the limit"
NOTHING_NEW = "nothing new"

SOON_MS = 120_000
"""Time after an event's time within which it is decided, unless it is late."""
_KINDS: Mapping[str, str] = {
    "fraud_alert.opened": "fraud_suspected",
    "fraud_alert.escalated": "fraud_escalated",
    "fraud_alert.closed": "fraud_closed",
}


@dataclass(frozen=True)
class Candidate:
    """An alert or a revision of an order that its customer may be notified of."""

    event_id: str
    kind: str
    customer_id: str
    event_time: int
    decided_by: int
    """Latest time of its decision, in UTC milliseconds."""
    first: str = ""
    """`event_id` of the order's first revision, if this is a later one."""
    adds: bool = True
    """Whether it has more information than the first one."""


@dataclass(frozen=True)
class Sent:
    """Candidates, and the notifications that were sent."""

    policy: Policy
    candidates: Sequence[Candidate]
    notifications: Sequence[Notification]
    customers: Mapping[str, Sequence[Version]]
    """Versions by customer id, the first one first."""

    @cached_property
    def counts(self) -> Counter[str]:
        """Number of different notifications by id of the event."""
        unique = {each.event_id: each for each in self.notifications}
        return Counter(occasion.occasion_id for each in unique.values() for occasion in each.payload)

    @cached_property
    def unsent(self) -> Mapping[str, str]:
        """Reason why an event was not sent, by its id; empty if there is none."""
        return {each.event_id: self._why_not(each) for each in self.candidates if each.event_id not in self.counts}

    @cached_property
    def reasons(self) -> Counter[str]:
        """Number of events that weren't sent, by reason."""
        return Counter(reason for reason in self.unsent.values() if reason)

    @property
    def unexplained(self) -> list[str]:
        """Ids of events that should have been sent."""
        return [event_id for event_id, reason in self.unsent.items() if not reason]

    @cached_property
    def _by_id(self) -> Mapping[str, Candidate]:
        return {each.event_id: each for each in self.candidates}

    @cached_property
    def _times_by_recipient(self) -> Mapping[str, list[int]]:
        times: dict[str, list[int]] = {}
        for each in {each.event_id: each for each in self.notifications}.values():
            if not any(self.policy.occasion[occasion.kind].critical for occasion in each.payload):
                times.setdefault(each.recipient, []).append(each.event_time)
        return times

    def _why_not(self, candidate: Candidate) -> str:
        rule = self.policy.occasion[candidate.kind]
        rows = self.rows(candidate)
        if not rule.sent:
            return SWITCHED_OFF
        if not rows:
            return GONE if self._is_deleted(candidate) else UNKNOWN
        return "" if rule.critical else self._why_not_yet(candidate, rows)

    def _why_not_yet(self, candidate: Candidate, rows: Sequence[CustomerRow]) -> str:
        first = self._by_id.get(candidate.first)
        recent = [
            at for at in self._times_by_recipient.get(candidate.customer_id, ()) if at > candidate.event_time - HOUR_MS
        ]
        if any(row.notifications_opt_out for row in rows):
            return OPTED_OUT
        if first and (not candidate.adds if first.event_id in self.counts else self._why_not(first)):
            return NOTHING_NEW
        if any(self._is_quiet(row, at) for row in rows for at in (candidate.event_time, candidate.decided_by)):
            return QUIET
        return LIMITED if len(recent) >= self.policy.messages_per_hour else ""

    def must_not(self, candidate: Candidate) -> bool:
        """Return whether it was wrong to send the event."""
        rule = self.policy.occasion[candidate.kind]
        if not rule.sent:
            return True
        rows = self.rows(candidate)
        if rule.critical or not rows:
            return False
        return all(
            row.notifications_opt_out
            or (self._is_quiet(row, candidate.event_time) and self._is_quiet(row, candidate.decided_by))
            for row in rows
        )

    def rows(self, candidate: Candidate) -> list[CustomerRow]:
        """Return the customer's rows that were valid at any time from the event to its decision."""
        versions = self.customers.get(candidate.customer_id, ())
        before = [each for each in versions if (each.valid_from or 0) <= candidate.event_time][-1:]
        during = [each for each in versions if candidate.event_time < (each.valid_from or 0) <= candidate.decided_by]
        return [each.row for each in (*before, *during) if isinstance(each.row, CustomerRow) and not each.is_deleted]

    def _is_deleted(self, candidate: Candidate) -> bool:
        return any(each.is_deleted for each in self.customers.get(candidate.customer_id, ()))

    def _is_quiet(self, row: CustomerRow, at_ms: int) -> bool:
        return is_quiet(self.policy.quiet_hours, row.time_zone, at_ms)


def candidates(alerts: Iterable[FraudAlert], enriched: Iterable[EnrichedOrder], seen_by: int) -> list[Candidate]:
    """Return the events that customers are to be notified of.

    Args:
        seen_by: UTC milliseconds; all of them had arrived by then.
    """
    found = [
        Candidate(
            alert.event_id, _KINDS[alert.event_type], alert.customer_id, alert.event_time, alert.event_time + SOON_MS
        )
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
            Candidate(
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
