"""How is it watched while orders and payments flow, and when has everything come through?"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from connectors.settings import Settings
from connectors.topics import PAYMENTS
from local.demo import flow, index_reading, mailbox_reading, order_proof, picture
from local.demo.job_figures import job_figures
from local.demo.jobs_under_way import JobsUnderWay
from local.demo.observer import Noteworthy, Observer
from local.demo.picture import Box
from local.demo.proving import Ledgers, notification_findings, read_ledgers, search_findings, warehouse_findings
from local.demo.saying import say
from local.demo.services import Services
from local.demo.view import LiveView, PlainView, View, figures
from local.stack.setup import Setup
from ops import capture_stream

TICK_SECONDS = 1.0
DRAIN_SECONDS = 90.0


@dataclass(frozen=True)
class Run:
    """A demo under way."""

    setup: Setup
    settings: Settings
    services: Services
    observer: Observer
    jobs: JobsUnderWay


def watch(run: Run) -> None:
    """Let the services run, show what happens, and stop the jobs when they have taken in everything."""
    with ExitStack() as at_the_end:
        screen = Screen(run, at_the_end.enter_context(_view()))
        at_the_end.enter_context(run.services.running(picture.NOTIFIER.name))
        running = {name: at_the_end.enter_context(run.services.running(name)) for name in run.services.arguments}
        say(f"{', '.join(running)}: started")
        while any(service.poll() is None for service in running.values()):
            screen.show()
        for name, service in running.items():
            run.services.require_success(name, service.returncode)
        capture_stream.wait_until_captured(run.settings)
        ledgers = read_ledgers(run.settings, run.services)
        sent = len(ledgers.sent.of_topic(PAYMENTS.name).arrived)
        _wait(f"fraud_detection to take in all of {sent:,} payments", lambda: screen.show() >= sent)
        _wait("order_enrichment to tell of all orders", lambda: _is_enriched(run, ledgers, screen))
        # What is committed is that of the last checkpoint before a job is stopped.
        _wait("every consumer to have read all there is", lambda: _is_read(run))
        _stop(run, picture.FRAUD_DETECTION, picture.ORDER_ENRICHMENT)
        _wait("all that reads alerts and orders to have them", lambda: _is_read(run))
        _stop(run, picture.REVENUE, drain=True)
        _wait("everything to be loaded, told and mailed", lambda: _is_read(run) and _has_all(run, ledgers))


def _stop(run: Run, *boxes: Box, drain: bool = False) -> None:
    names = " and ".join(box.name for box in boxes)
    say(f"{names}: everything is taken in; stopping, so that all that there is to say is in Kafka")
    run.jobs.stop(boxes, drain=drain)
    run.observer.look_to_the_end(DRAIN_SECONDS)


def _wait(what: str, condition: Callable[[], bool]) -> None:
    """Until the condition holds. If it doesn't in time, say so and go on: the proofs tell what is missing."""
    if condition():
        return
    say(f"waiting for {what}")
    deadline = time.monotonic() + DRAIN_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            say(f"gave up waiting for {what} after {DRAIN_SECONDS:.0f} s")
            return


def _is_enriched(run: Run, ledgers: Ledgers, screen: "Screen") -> bool:
    """Whether each order is there, and complete if it can be; watches for a tick."""
    screen.show()
    last = order_proof.last_revisions(run.observer.observed.enriched)
    return all(
        order_id in last and last[order_id].complete == each.result.complete
        for order_id, each in ledgers.expected.items()
    )


def _is_read(run: Run) -> bool:
    """Whether every consumer has read all there is; watches for a tick."""
    run.observer.look(TICK_SECONDS)
    offsets = flow.committed(run.settings)
    return not any(
        flow.progress(run.observer.observed, box.reads, offsets[box.group(run.settings)]).lag
        for box in picture.consumers()
    )


def _has_all(run: Run, ledgers: Ledgers) -> bool:
    """Whether the consumers have made everything of what they have read."""
    observed = run.observer.observed
    found = [
        *warehouse_findings(run.settings, observed, ledgers),
        *search_findings(run.settings, observed),
        *notification_findings(run.setup, observed, ledgers),
    ]
    return all(finding.holds for finding in found)


class Screen:
    """Joins what the topics and the fraud job say, once a tick."""

    def __init__(self, run: Run, view: View) -> None:
        self._run, self._view = run, view
        self._ends_at = time.monotonic() + run.services.seconds
        self._before = (time.monotonic(), 0)

    def show(self) -> int:
        """Watch for a tick and show what is new; how many payments the fraud job has dealt with."""
        events: list[Noteworthy] = []
        next_tick = time.monotonic() + TICK_SECONDS
        while (left := next_tick - time.monotonic()) > 0:
            events += self._run.observer.look(min(left, 0.1))
        observed = self._run.observer.observed
        accepted = job_figures(self._run.settings, self._run.jobs[picture.FRAUD_DETECTION]).accepted
        now, payments = time.monotonic(), observed.records[PAYMENTS.name]
        then, payments_before = self._before
        self._before = now, payments
        shown = figures(
            observed,
            accepted=accepted,
            payments_before=payments_before,
            payments_a_second=(payments - payments_before) / (now - then),
            seconds_left=self._ends_at - now,
            documents=index_reading.count(self._run.settings),
            mails=mailbox_reading.count(self._run.setup),
        )
        self._view.show(shown, events)
        return accepted + len(observed.dead_letters_of(picture.FRAUD_DETECTION.name))


def _view() -> View:
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()
