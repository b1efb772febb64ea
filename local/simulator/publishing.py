"""Runs a stream of records: sends each at its time, counts and records it, and stops cleanly."""

import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event

from local.simulator.clock import Clock
from local.simulator.ledger import Ledger, LedgerSummary
from local.simulator.ledger_file import NO_LEDGER
from local.simulator.orders.order_reader import OrderReader
from local.simulator.outgoing import Outgoing
from local.simulator.progress import Progress
from local.simulator.publisher import Publisher

SLICE_SECONDS = 0.1
"""Maximum wait before checking whether there is something else to do."""


def publish_all(
    outgoings: Iterable[Outgoing],
    bootstrap_servers: str,
    *,
    clock: Clock,
    progress: Progress,
    ledger: Path = NO_LEDGER,
    stop: Event | None = None,
    order_reader: OrderReader | None = None,
) -> LedgerSummary:
    """Send records, in order of their `send_at_ms`, until there are no more or `stop` is set; wait for their receipts.

    Args:
        order_reader: its payments are sent too, as they fall due.

    Raises:
        PublishError: the broker is unavailable. The outcome of the records so far is in the ledger.
    """
    run_ledger = Ledger(ledger)
    started_at, complete = _now_ms(), False
    try:
        stop = stop or Event()
        with Publisher(bootstrap_servers, run_ledger.write, report=progress.report, stop=stop) as publisher:
            run = _Run(publisher, run_ledger, clock, progress, order_reader=order_reader, stop=stop)
            complete = run.send(outgoings)
            run.settle()
    except BaseException:
        complete = False
        raise
    finally:
        summary = run_ledger.finish(started_at, _now_ms(), complete)
    progress.end(describe(summary))
    return summary


def describe(summary: LedgerSummary) -> str:
    """Describe the summary in words."""
    seconds = (summary.ended_at - summary.started_at) / 1000
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in summary.kinds.items()) or "nothing"
    incidents = ", ".join(f"{number} {pattern}" for pattern, number in summary.incidents.items())
    return f"{'done' if summary.complete else 'stopped'} after {seconds:.1f} s: {kinds}" + (
        f"; planted: {incidents}" if incidents else ""
    )


class _Run:
    def __init__(
        self,
        publisher: Publisher,
        ledger: Ledger,
        clock: Clock,
        progress: Progress,
        *,
        order_reader: OrderReader | None,
        stop: Event,
    ) -> None:
        self._publisher, self._ledger, self._clock, self._progress = publisher, ledger, clock, progress
        self._stop, self._order_reader = stop, order_reader
        self._next_second = time.monotonic() + 1
        self._turn: Outgoing | None = None
        publisher.on_wait = self._while_waiting

    def send(self, outgoings: Iterable[Outgoing]) -> bool:
        """Send the records; return whether all were sent before `stop`."""
        for outgoing in outgoings:
            self._await_turn(outgoing)
            if self._stop.is_set():
                return False
            self._send(outgoing)
        return True

    def settle(self) -> None:
        """Commit which orders are settled, and show the last figures."""
        self._publisher.flush()
        if self._order_reader is not None:
            self._order_reader.commit()
        self._turn = None
        self._show()

    def _await_turn(self, outgoing: Outgoing) -> None:
        while True:
            self._do_other_work(outgoing)
            seconds = self._clock.seconds_until(outgoing.send_at_ms)
            if seconds <= 0 or self._stop.is_set():
                return
            self._stop.wait(min(seconds, SLICE_SECONDS))

    def _do_other_work(self, outgoing: Outgoing) -> None:
        if self._order_reader is not None:
            # A run that is behind must not send payments that are due after its next record: they would overtake it.
            for payment in self._order_reader.due(min(_now_ms(), outgoing.send_at_ms)):
                self._send(payment)
        self._turn = outgoing
        if time.monotonic() >= self._next_second:
            self._each_second()
            if self._order_reader is not None and self._order_reader.wants_to_commit():
                self._publisher.flush()
                self._order_reader.commit()

    def _send(self, outgoing: Outgoing) -> None:
        if outgoing.event is None:
            self._publisher.publish_bad_record(outgoing)
        else:
            self._publisher.publish_event(outgoing)
        self._progress.count(outgoing)

    def _while_waiting(self) -> None:
        if time.monotonic() >= self._next_second:
            self._each_second()

    def _each_second(self) -> None:
        self._next_second = time.monotonic() + 1
        self._ledger.flush()
        self._show()

    def _show(self) -> None:
        behind_seconds = -self._clock.seconds_until(self._turn.send_at_ms) if self._turn else 0.0
        sent = self._publisher
        self._progress.show(sent.acknowledged, sent.refused, behind_seconds, sent.silent_seconds, sent.waiting)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
