"""What does the demo look like? A live table on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connectors import topics
from events import FraudAlert
from local.demo.observer import Observed

_SHOWN_ALERTS = 14
_PLAIN_EVERY_SECONDS = 5.0
_STYLES = {"opened": "bold red", "escalated": "bold magenta", "closed": "dim"}


@dataclass(frozen=True)
class Figures:
    """The numbers of one moment."""

    seconds_left: float
    payments: int
    payments_a_second: float
    orders: int
    alerts: int
    dead_letters: int
    late: int
    shadow_hits: int
    lag: int
    """Payments that were in Kafka a tick ago and that the job has not taken in yet: its own count is as old."""
    p50_ms: float | None
    p99_ms: float | None

    def cells(self) -> list[tuple[str, str]]:
        """Name and value of each, in words."""
        return [
            ("payments in", f"{self.payments:,}"),
            ("a second", f"{self.payments_a_second:,.0f}"),
            ("orders in", f"{self.orders:,}"),
            ("alerts out", f"{self.alerts:,}"),
            ("dead letters", f"{self.dead_letters:,}"),
            ("late", f"{self.late:,}"),
            ("shadow hits", f"{self.shadow_hits:,}"),
            ("lag", f"{self.lag:,}"),
            ("p50", _milliseconds(self.p50_ms)),
            ("p99", _milliseconds(self.p99_ms)),
        ]


def figures(
    observed: Observed, *, accepted: int, payments_before: int, payments_a_second: float, seconds_left: float
) -> Figures:
    """The numbers as they are now.

    Args:
        accepted: payments that the job has taken in.
        payments_before: payments that were in Kafka a tick ago.
    """
    seen = observed.records
    payments = seen[topics.PAYMENTS.name]
    return Figures(
        seconds_left=max(0.0, seconds_left),
        payments=payments,
        payments_a_second=payments_a_second,
        orders=seen[topics.ORDERS.name],
        alerts=len(observed.alerts),
        dead_letters=len(observed.dead_letters),
        late=seen[topics.LATE_PAYMENTS.name],
        shadow_hits=seen[topics.SHADOW_HITS.name],
        lag=max(0, payments_before - accepted - len(observed.dead_letters_of(topics.PAYMENTS))),
        p50_ms=observed.latency_ms(0.5),
        p99_ms=observed.latency_ms(0.99),
    )


def alert_line(alert: FraudAlert) -> str:
    """An alert in one line: when, what, which card, how much, why."""
    at = datetime.fromtimestamp(alert.event_time / 1000, UTC).strftime("%H:%M:%S")
    step = alert.event_type.removeprefix("fraud_alert.")
    amount = f"{alert.amount_minor / 100:,.2f} {alert.currency}"
    rules = ", ".join(broken.rule for broken in alert.rules)
    return f"{at}  {step:<9}  {alert.card_id:<14}  {amount:>14}  {alert.payment_count:>3} payments  {rules}"


class View(Protocol):
    """Shows what happens."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, figures: Figures, alerts: Sequence[FraudAlert]) -> None:
        """Show the numbers, and the alerts that are new."""


class LiveView:
    """For a terminal: numbers on top, the latest alerts below, drawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._latest: deque[FraudAlert] = deque(maxlen=_SHOWN_ALERTS)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, figures: Figures, alerts: Sequence[FraudAlert]) -> None:
        self._latest.extend(alert for alert in alerts if alert.event_type != "fraud_alert.closed")
        table = Table(title=f"{figures.seconds_left:.0f} s to go", title_justify="left", expand=False)
        for name, _ in figures.cells():
            table.add_column(name, justify="right", no_wrap=True)
        table.add_row(*(value for _, value in figures.cells()))
        lines = [
            Text(alert_line(alert), style=_STYLES[alert.event_type.removeprefix("fraud_alert.")])
            for alert in self._latest
        ]
        self._live.update(Group(table, *lines))


class PlainView:
    """For a file or a pipe: a line for each alert, and the numbers every few seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, figures: Figures, alerts: Sequence[FraudAlert]) -> None:
        for alert in alerts:
            print(alert_line(alert), flush=True)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PLAIN_EVERY_SECONDS
            print(", ".join(f"{name} {value}" for name, value in figures.cells()), flush=True)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
