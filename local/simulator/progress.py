"""Prints a service's progress once a second: in one line on a terminal, one line after another elsewhere."""

import time
from collections import Counter

from connectors.status_line import StatusLine
from local.simulator.outgoing import BAD, Outgoing


class Progress:
    """Counts what is sent and shows it."""

    def __init__(self, what: str, quiet: bool = False) -> None:
        self._what, self._line = what, StatusLine(quiet)
        self._sent: Counter[str] = Counter()
        self._fraud = 0
        self._last_sent, self._last_shown = 0, time.monotonic()

    def count(self, outgoing: Outgoing) -> None:
        """Count a record that was sent."""
        self._sent[BAD if outgoing.event is None else outgoing.kind] += 1
        self._fraud += outgoing.incident_id is not None

    def show(
        self, acknowledged: int, refused: int, behind_seconds: float, silent_seconds: float = 0.0, waiting: int = 0
    ) -> None:
        """Show the line; call it once a second.

        Args:
            silent_seconds: time since Kafka's last answer.
            waiting: number of records that wait for an answer.
        """
        sent, now = self._sent.total(), time.monotonic()
        rate = (sent - self._last_sent) / max(now - self._last_shown, 0.001)
        self._last_sent, self._last_shown = sent, now
        unusual = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self._sent.items()) if kind != "good")
        self._line.show(
            f"{self._what}: {sent:,} sent ({rate:,.0f}/s), {acknowledged:,} acknowledged"
            + (f", {self._fraud:,} fraud" if self._fraud else "")
            + (f", {unusual}" if unusual else "")
            + (f", {refused:,} refused" if refused else "")
            + (f", {behind_seconds:.1f} s behind" if behind_seconds > 1 else "")
            + (f"; no answer from Kafka for {silent_seconds:.0f} s, {waiting:,} wait" if silent_seconds > 2 else "")
        )

    def report(self, text: str) -> None:
        """Show what the service waits for, instead of the counts."""
        self._line.show(f"{self._what}: {text}")

    def end(self, text: str) -> None:
        """Print the last line."""
        self._line.end(text)
