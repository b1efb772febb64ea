"""Display of the running demo: a live table on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from connectors.kafka import topics
from events import EnrichedLine, EnrichedOrder, FraudAlert
from jobs.flow import FRAUD_DETECTION
from local.demo.results.observer import Noteworthy, Observed
from local.oracles.orders import last_revisions
from ops.formats import money

_SHOWN_ALERTS = 9
_SHOWN_ORDERS = 6
_SHOWN_LINES = 2
_PLAIN_ORDERS_A_TICK = 1
_PLAIN_EVERY_SECONDS = 5.0
_STYLES = {"opened": "bold red", "escalated": "bold magenta", "closed": "dim"}


@dataclass(frozen=True)
class Figures:
    """Figures of one moment."""

    seconds_left: float
    unavailable: tuple[str, ...]
    """Unavailable services of the stack, with the duration, in words."""
    payments: int
    payments_a_second: float
    orders: int
    shop_changes: int
    enriched: int
    incomplete: int
    alerts: int
    dead_letters: int
    late: int
    shadow_hits: int
    lag: int | None
    """Payments that were in Kafka a tick ago and that the job has not read yet: its own count is as old. None if the
    job has restarted, which resets its count."""
    p50_ms: float | None
    p99_ms: float | None
    revenue_rows: int
    documents: int
    notifications: int
    mails: int

    def cells(self) -> list[tuple[str, str]]:
        """Return name and value of each figure of payments and alerts, as text."""
        return [
            ("payments in", f"{self.payments:,}"),
            ("a second", f"{self.payments_a_second:,.0f}"),
            ("alerts out", f"{self.alerts:,}"),
            ("dead letters", f"{self.dead_letters:,}"),
            ("late", f"{self.late:,}"),
            ("shadow hits", f"{self.shadow_hits:,}"),
            ("lag", "-" if self.lag is None else f"{self.lag:,}"),
            ("p50", _milliseconds(self.p50_ms)),
            ("p99", _milliseconds(self.p99_ms)),
        ]

    def order_cells(self) -> list[tuple[str, str]]:
        """Return name and value of each figure of orders and their enrichment, as text."""
        return [
            ("orders in", f"{self.orders:,}"),
            ("enriched", f"{self.enriched:,}"),
            ("incomplete", f"{self.incomplete:,}"),
            ("shop changes", f"{self.shop_changes:,}"),
        ]

    def consumer_cells(self) -> list[tuple[str, str]]:
        """Return name and value of each figure of what is made from orders and alerts, as text."""
        return [
            ("revenue rows", f"{self.revenue_rows:,}"),
            ("documents", f"{self.documents:,}"),
            ("notifications", f"{self.notifications:,}"),
            ("mails", f"{self.mails:,}"),
        ]


def figures(
    observed: Observed,
    *,
    accepted: int | None,
    payments_before: int,
    payments_a_second: float,
    seconds_left: float,
    documents: int,
    mails: int,
    unavailable: Mapping[str, float],
) -> Figures:
    """Return the current figures.

    Args:
        accepted: payments that the job has read; None if it has restarted, which resets its count.
        payments_before: payments that were in Kafka a tick ago.
        documents: in the search index.
        mails: in the mailbox.
        unavailable: seconds since each unavailable service became so.
    """
    seen = observed.records
    payments = seen[topics.PAYMENTS.name]
    rejected = len(observed.dead_letters_of(FRAUD_DETECTION.name))
    return Figures(
        seconds_left=max(0.0, seconds_left),
        unavailable=tuple(f"{name} for {seconds:.0f} s" for name, seconds in unavailable.items()),
        payments=payments,
        payments_a_second=payments_a_second,
        orders=seen[topics.ORDERS.name],
        shop_changes=observed.shop_changes,
        enriched=len({order.order_id for order in observed.enriched}),
        incomplete=sum(not order.complete for order in last_revisions(observed.enriched).values()),
        alerts=len(observed.alerts),
        dead_letters=len(observed.dead_letters),
        late=seen[topics.LATE_PAYMENTS.name],
        shadow_hits=seen[topics.SHADOW_HITS.name],
        lag=None if accepted is None else max(0, payments_before - accepted - rejected),
        p50_ms=observed.latency_ms(0.5),
        p99_ms=observed.latency_ms(0.99),
        revenue_rows=seen[topics.REVENUE.name],
        notifications=seen[topics.NOTIFICATIONS.name],
        documents=documents,
        mails=mails,
    )


def alert_line(alert: FraudAlert) -> str:
    """Format an alert in one line: time, step, card, amount, rules, and number of payments."""
    step = alert.event_type.removeprefix("fraud_alert.")
    amount = money(alert.amount_minor, alert.currency)
    rules = ", ".join(broken.rule for broken in alert.rules)
    payments = f"{alert.payment_count} payment{'' if alert.payment_count == 1 else 's'}"
    return f"{_clock_time(alert.event_time)}  {step:<9}  {alert.card_id:<14}  {amount:>14}  {rules} ({payments})"


def order_line(order: EnrichedOrder) -> str:
    """Format an enriched order in one line: time, step, customer, amount, products; unknown names are `?` and the
    id."""
    step = "ordered" if order.revision == 1 else "corrected"
    customer = f"{order.customer_name} ({order.customer_tier})" if order.customer_name else f"? {order.customer_id}"
    lines = [_piece(line) for line in order.lines[:_SHOWN_LINES]]
    more = [f"{len(order.lines) - _SHOWN_LINES} more"] if len(order.lines) > _SHOWN_LINES else []
    return (
        f"{_clock_time(order.event_time)}  {step:<9}  {customer:<28}  {money(order.total_minor, order.currency):>14}"
        f"  {', '.join(lines + more)}"
    )


def _piece(line: EnrichedLine) -> str:
    return f"{line.quantity} {line.name or f'? {line.product_id}'}"


def _clock_time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S")


class View(Protocol):
    """Shows the running demo."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, figures: Figures, events: Sequence[Noteworthy]) -> None:
        """Show the figures and the new events."""


class LiveView:
    """View for a terminal: figures on top, the latest alerts and orders below, drawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._alerts: deque[FraudAlert] = deque(maxlen=_SHOWN_ALERTS)
        self._orders: deque[EnrichedOrder] = deque(maxlen=_SHOWN_ORDERS)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, figures: Figures, events: Sequence[Noteworthy]) -> None:
        for event in events:
            if isinstance(event, EnrichedOrder):
                self._orders.append(event)
            elif event.event_type != "fraud_alert.closed":
                self._alerts.append(event)
        self._live.update(screen(figures, self._alerts, self._orders))


def screen(figures: Figures, alerts: Iterable[FraudAlert], orders: Iterable[EnrichedOrder]) -> Group:
    """Return a terminal's screen: figures of payments, latest alerts, figures of orders, latest orders."""
    styled_alerts = [
        _line(alert_line(alert), _STYLES[alert.event_type.removeprefix("fraud_alert.")]) for alert in alerts
    ]
    styled_orders = [_line(order_line(order), "" if order.complete else "yellow") for order in orders]
    to_go = Text.assemble((f"{figures.seconds_left:.0f} s to go", "dim"), no_wrap=True, overflow="ellipsis")
    if figures.unavailable:
        to_go.append(f"   unavailable: {', '.join(figures.unavailable)}", "bold red")
    return Group(
        to_go,
        _in_rows(figures.cells()),
        *styled_alerts,
        _in_rows(figures.order_cells()),
        *styled_orders,
        _in_rows(figures.consumer_cells()),
    )


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _in_rows(cells: Sequence[tuple[str, str]]) -> Columns:
    """Arrange the cells side by side, as many as the terminal's width allows."""
    return Columns([Text.assemble((name, "dim"), " ", (value, "bold")) for name, value in cells], padding=(0, 3))


class PlainView:
    """View for a file or a pipe: a line for each alert and for some orders, and the figures every few seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, figures: Figures, events: Sequence[Noteworthy]) -> None:
        orders = [event for event in events if isinstance(event, EnrichedOrder)]
        alerts = [event for event in events if isinstance(event, FraudAlert)]
        unusual = [order for order in orders if not order.complete or order.revision > 1]
        for line in (*map(alert_line, alerts), *map(order_line, (unusual + orders)[:_PLAIN_ORDERS_A_TICK])):
            print(line, flush=True)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY_SECONDS
            cells = [*figures.cells(), *figures.order_cells(), *figures.consumer_cells()]
            cells += [("unavailable", each) for each in figures.unavailable]
            print(", ".join(f"{name} {value}" for name, value in cells), flush=True)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
