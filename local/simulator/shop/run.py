"""Carries out a plan: each transaction at its time, with a ledger, until the end or a stop."""

import time
from functools import partial
from pathlib import Path
from threading import Event

from connectors.outage import await_server
from connectors.postgres.client import DatabaseUnavailableError
from connectors.settings import Settings
from connectors.status_line import StatusLine
from local.simulator.clock import Clock
from local.simulator.ledger_file import NO_LEDGER
from local.simulator.shop.database import read_all
from local.simulator.shop.plan import ShopOptions, plan
from local.simulator.shop.shop_ledger import ShopLedger, ShopSummary
from local.simulator.shop.state import State
from local.simulator.shop.writer import Writer

SECONDS_BETWEEN_LINES = 1.0


def change_rows(
    options: ShopOptions,
    settings: Settings,
    *,
    ledger: Path = NO_LEDGER,
    stop: Event | None = None,
    quiet: bool = True,
) -> ShopSummary:
    """Carry out the changes of a run, in real time, on the rows that are in the tables now.

    Raises:
        DatabaseError: the database is unavailable for too long, or rejects the login.
        ShopError: it can't be used, or becomes unavailable for too long. The transactions so far are in the ledger.
    """
    line, stop = StatusLine(quiet), stop or Event()
    rows = await_server("the database", partial(read_all, settings), DatabaseUnavailableError, line.show, stop)
    state = State.of(*rows)
    run_ledger = ShopLedger(ledger, (*state.customers.rows, *state.products.rows), _now_ms())
    complete = False
    try:
        complete = _Run(options, settings, state, run_ledger, line).until(stop)
    finally:
        summary = run_ledger.finish(_now_ms(), complete)
    return summary


class _Run:
    def __init__(
        self, options: ShopOptions, settings: Settings, state: State, ledger: ShopLedger, line: StatusLine
    ) -> None:
        self._options, self._settings, self._state, self._ledger, self._line = options, settings, state, ledger, line
        self._clock = Clock(options.start_ms, speed=1, real=True)
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def until(self, stop: Event) -> bool:
        """Carry out the plan; return whether everything was done before `stop`."""
        with Writer(self._settings, stop, self._report) as writer:
            for number, transaction in enumerate(plan(self._options, self._state), start=1):
                stop.wait(max(0.0, self._clock.seconds_until(transaction.at_ms)))
                if stop.is_set():
                    return False
                begun = self._ledger.begin(number, transaction.kind, transaction.statements)
                self._ledger.end(writer.do(begun, is_rolled_back=transaction.is_rolled_back))
                behind = -self._clock.seconds_until(transaction.at_ms)
                self._show(f"{number:,} transactions" + (f", {behind:.1f} s behind" if behind > 1 else ""))
        return not stop.is_set()

    def _show(self, text: str) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            self._report(text)

    def _report(self, text: str) -> None:
        customers, products = len(self._state.customers), len(self._state.products)
        self._line.show(f"shop: {customers:,} customers, {products:,} products, {text}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
