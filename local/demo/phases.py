"""Phases of a running demo: orders and payments flow, the jobs read everything, and stop."""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache

from kafka.errors import KafkaError
from rich.console import Console

from connectors.elasticsearch.client import ElasticsearchError
from connectors.kafka.topics import ORDERS, PAYMENTS
from connectors.postgres.client import DatabaseError
from connectors.settings import Settings
from jobs import flow
from jobs.flow import Program
from local.demo.checks import orders
from local.demo.checks.checks import Ledgers, notification_findings, read_ledgers, search_findings, warehouse_findings
from local.demo.monitor import Monitor
from local.demo.output import report
from local.demo.results import mailbox, programs, search_index
from local.demo.results.fraud_job import JobFigures, job_figures
from local.demo.results.observer import Noteworthy, Observer
from local.demo.services import Services
from local.demo.submitted_jobs import SubmittedJobs
from local.demo.view import LiveView, PlainView, View, figures
from local.simulator.shop.database import ShopError
from local.stack.supervisor import Stack
from ops.capture import progress as capture_progress
from ops.jobs.flink_rest import FlinkError

TICK_SECONDS = 1.0
DRAIN_SECONDS = 90.0
"""Maximum wait for a condition while every service is available."""
STOP_SECONDS = 180.0
"""Maximum wait for jobs to stop: tasks that a kill ended must run again first."""
OUTAGE_SECONDS = 600.0
"""Maximum wait for a condition in any case."""
UNAVAILABLE_FAULTS = (DatabaseError, ElasticsearchError, FlinkError, KafkaError, ShopError)
"""Errors of requests to an unavailable service."""


@dataclass(frozen=True)
class Run:
    """A running demo."""

    stack: Stack
    settings: Settings
    services: Services
    observer: Observer
    jobs: SubmittedJobs


def watch(run: Run) -> None:
    """Run the services, show what happens, and stop the jobs when they have read everything.

    Raises:
        ServiceError: a service ended too early.
    """
    with ExitStack() as at_the_end:
        view = at_the_end.enter_context(_view())
        readings = Readings(run)
        monitor = at_the_end.enter_context(Monitor(run.stack.status, (readings.read_job, readings.read_index)))
        notifier = at_the_end.enter_context(run.services.running(flow.NOTIFIER.name))
        running = {name: at_the_end.enter_context(run.services.running(name)) for name in run.services.arguments}
        screen = Screen(run, view, readings, monitor, {flow.NOTIFIER.name: notifier, **running})
        report(f"{', '.join(running)}: started")
        while any(service.poll() is None for service in running.values()):
            screen.show()
        screen.show()
        beat = cache(lambda: capture_progress.write_heartbeat(run.settings).timestamp() * 1000)
        _wait(screen, "all changes to be captured", lambda: run.observer.observed.captured_until > beat())
        ledgers = read_ledgers(run.settings, run.services)
        _wait(screen, "order_enrichment to emit all orders", lambda: _is_enriched(run, ledgers))
        # Offsets are committed by the last checkpoint before a job is stopped.
        _wait(screen, "every consumer to have read all there is", lambda: _is_seen(run, ledgers) and _is_read(run))
        _stop(screen, run, flow.FRAUD_DETECTION, flow.ORDER_ENRICHMENT)
        _wait(screen, "all that reads alerts and orders to have them", lambda: _is_read(run))
        _stop(screen, run, flow.REVENUE, drain=True)
        _wait(screen, "everything to be loaded, sent and mailed", lambda: _is_read(run) and _has_all(run, ledgers))


def _stop(screen: "Screen", run: Run, *programs: Program, drain: bool = False) -> None:
    names = " and ".join(program.name for program in programs)
    report(f"{names}: everything is read; stopping, so that all that is pending is emitted")
    stops = run.jobs.stop(programs, drain=drain)
    _wait(screen, f"{names} to stop", lambda: _are_done(stops), STOP_SECONDS)
    ends = cache(run.observer.ends)
    _wait(screen, "the topics to be read to their ends", lambda: run.observer.has_read(ends()))


def _wait(screen: "Screen", what: str, condition: Callable[[], bool], patience_seconds: float = DRAIN_SECONDS) -> None:
    """Wait until the condition holds. At the time limit, report it and continue: the checks show what is missing.

    The limit counts from when the last unavailable service is available again.
    """
    began = since = time.monotonic()
    if fault := _fault(condition):
        report(f"waiting for {what}")
    while fault:
        screen.show()
        now = time.monotonic()
        if screen.is_anything_unavailable:
            since = now
        if now - since > patience_seconds or now - began > OUTAGE_SECONDS:
            report(f"gave up waiting for {what} after {now - began:.0f} s{fault}")
            return
        fault = _fault(condition)


def _fault(condition: Callable[[], bool]) -> str:
    """Return an empty text if the condition holds, otherwise what to report."""
    try:
        return "" if condition() else ": it is not so"
    except UNAVAILABLE_FAULTS as error:
        return f": {error}"


def _are_done(stops: Iterable[Future[None]]) -> bool:
    """Return whether all jobs have ended.

    Raises:
        FlinkError: one could not be stopped.
    """
    for stop in stops:
        if not stop.done():
            return False
        stop.result()
    return True


def _is_enriched(run: Run, ledgers: Ledgers) -> bool:
    """Return whether each order is there, complete if possible, and corrected if it was emitted before capture caught
    up."""
    return all(each.holds for each in orders.findings(ledgers.expected, run.observer.observed.enriched))


def _is_seen(run: Run, ledgers: Ledgers) -> bool:
    """Return whether all that was sent was observed."""
    seen = run.observer.observed.records
    return all(seen[topic.name] >= len(ledgers.sent.of_topic(topic.name).arrived) for topic in (ORDERS, PAYMENTS))


def _is_read(run: Run) -> bool:
    """Return whether every consumer has read everything."""
    offsets = programs.committed(run.settings)
    return not any(
        programs.progress(run.observer.observed, program.reads, offsets[program.group(run.settings)]).lag
        for program in flow.consumers()
    )


def _has_all(run: Run, ledgers: Ledgers) -> bool:
    """Return whether the consumers' results contain everything that they have read."""
    observed = run.observer.observed
    found = [
        *warehouse_findings(run.settings, observed, ledgers),
        *search_findings(run.settings, observed),
        *notification_findings(run.stack.setup, observed, ledgers),
    ]
    return all(finding.holds for finding in found)


class Readings:
    """Last known figures of services that may be unavailable."""

    def __init__(self, run: Run) -> None:
        """Start without figures."""
        self._run = run
        self.job = JobFigures(accepted=0, restarts=0)
        self.documents = 0

    def read_job(self) -> None:
        """Read the fraud job's own counters.

        Raises:
            FlinkError: Flink doesn't answer.
        """
        self.job = job_figures(self._run.settings, self._run.jobs[flow.FRAUD_DETECTION])

    def read_index(self) -> None:
        """Read the number of documents in the search index.

        Raises:
            ElasticsearchError: it can't be queried.
        """
        self.documents = search_index.count(self._run.settings)


class Screen:
    """Shows figures of the topics, the fraud job and the search index, once a tick."""

    def __init__(
        self,
        run: Run,
        view: View,
        readings: Readings,
        monitor: Monitor,
        processes: Mapping[str, subprocess.Popen[bytes]],
    ) -> None:
        self._run, self._view, self._readings, self._monitor = run, view, readings, monitor
        self._processes = processes
        self._ends_at = time.monotonic() + run.services.seconds
        self._before = (time.monotonic(), 0)

    @property
    def is_anything_unavailable(self) -> bool:
        """Whether a service of the stack is unavailable."""
        return bool(self._monitor.unavailable)

    def show(self) -> None:
        """Observe for one tick and show what is new.

        Raises:
            ServiceError: a simulated service ended too early.
        """
        events: list[Noteworthy] = []
        next_tick = time.monotonic() + TICK_SECONDS
        while (left := next_tick - time.monotonic()) > 0:
            with suppress(KafkaError):  # the monitor reports that it is unavailable
                events += self._run.observer.look(min(left, 0.1))
        self._run.services.require_health(self._processes)
        observed = self._run.observer.observed
        now, payments = time.monotonic(), observed.records[PAYMENTS.name]
        then, payments_before = self._before
        self._before = now, payments
        shown = figures(
            observed,
            accepted=self._readings.job.accepted_in_all,
            payments_before=payments_before,
            payments_a_second=(payments - payments_before) / (now - then),
            seconds_left=self._ends_at - now,
            documents=self._readings.documents,
            mails=mailbox.count(self._run.stack.setup),
            unavailable=self._monitor.unavailable,
        )
        self._view.show(shown, events)


def _view() -> View:
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()
