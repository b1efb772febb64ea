"""`python -m local.demo`: boot, submit, let orders and payments flow, watch, prove, shut down."""

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType

import click
from kafka.errors import KafkaError
from rich.console import Console

from connectors.schema_registry import RegistryError
from connectors.settings import Settings
from connectors.topics import ORDERS, PAYMENTS
from local.demo import order_proof, proof, warehouse_proof
from local.demo.database_reading import read_shop, read_warehouse
from local.demo.job_figures import JobFigures, job_figures
from local.demo.observer import Noteworthy, Observer
from local.demo.order_proof import Expectation
from local.demo.proof import FRAUD_DETECTION, ORDER_ENRICHMENT, WAREHOUSE, Finding
from local.demo.services import ServiceError, Services
from local.demo.view import LiveView, PlainView, View, figures
from local.services.ledger import LedgerContent
from local.services.ledger_file import LedgerError
from local.services.shop.database import ShopError, make_tables
from local.services.shop.shop_ledger import ShopLedgerContent
from local.settings import state_directory
from local.stack.__main__ import FAULTS
from local.stack.supervisor import Stack
from ops import capture_stream, change_capture, rulesets, schemas, topics, warehouse
from ops.capture_stream import CaptureError
from ops.flink_rest import FlinkError
from ops.jobs import JobId, stop_with_savepoint, wait_until_running
from ops.migrations import MigrationError
from ops.rulesets import PublicationError
from ops.schemas import SchemasRefusedError
from ops.submit import submit
from ops.tables import table
from ops.topics import TopicsBlockedError
from udfs import ruleset_files

JOBS = (FRAUD_DETECTION, ORDER_ENRICHMENT, WAREHOUSE)
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK_SECONDS = 1.0
OPERATING_FAULTS = (
    CaptureError,
    FlinkError,
    KafkaError,
    MigrationError,
    PublicationError,
    RegistryError,
    SchemasRefusedError,
    ServiceError,
    ShopError,
    TopicsBlockedError,
)
DRAIN_SECONDS = 90.0


class DemoError(RuntimeError):
    """The demo can't go on, or its proof doesn't hold; the text says why."""


@dataclass(frozen=True)
class Run:
    """A demo under way."""

    settings: Settings
    services: Services
    observer: Observer


@dataclass(frozen=True)
class Ledgers:
    """What the services wrote down, when they have ended."""

    sent: LedgerContent
    shop: ShopLedgerContent
    within_hours: int
    """For so long what an order names may be entered after it."""

    @cached_property
    def expected(self) -> Mapping[str, Expectation]:
        """What must come of each order."""
        return order_proof.expectations(self.sent, self.shop, self.within_hours)


@click.command(help="See the whole path work on this machine.")
@click.option("--seconds", default=40.0, show_default=True, help="How long payments flow.")
@click.option("--rate", default=200.0, show_default=True, help="Payments a second.")
@click.option("--seed", default=7, show_default=True, help="Another seed is another world.")
def main(seconds: float, rate: float, seed: int) -> None:
    """Run it; one line and the exit status say how it went."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        demonstrate(seconds, rate, seed)
    except KeyboardInterrupt:
        _end("demo: FAILED: interrupted", 130)
    except (*FAULTS, *OPERATING_FAULTS, DemoError, LedgerError, OSError) as error:
        _end(f"demo: FAILED: {error}", 1)
    _end("demo: ok", 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)  # a second one would leave half of the stack running
    raise KeyboardInterrupt


def _end(line: str, status: int) -> None:
    with suppress(OSError):
        _say(line)
    sys.exit(status)


def demonstrate(seconds: float, rate: float, seed: int) -> None:
    """The demo from boot to proof; whatever happens, everything is stopped and deleted at the end."""
    state = state_directory()
    os.environ["MILLRACE_STATE"] = str(state.with_name(f"{state.name}-demo"))
    stack = Stack.from_environment(say=_say)
    with ExitStack() as at_the_end:
        at_the_end.callback(_shut_down, stack)
        clear(stack)  # what a demo that was killed may have left
        stack.up()
        settings = Settings.from_environment()
        services = Services(_folder(stack), seconds, rate, seed)
        services.folder.mkdir()
        jobs = _prepare(settings, services)
        run = Run(settings, services, Observer(settings))
        at_the_end.callback(run.observer.close)
        _watch(run, jobs)
        figures_at_end = job_figures(settings, jobs[FRAUD_DETECTION])
        _prove(run, figures_at_end)


def _shut_down(stack: Stack) -> None:
    with suppress(OSError):
        _say("shutting down")
    clear(stack)


def clear(stack: Stack) -> None:
    """Stop everything, and delete what it and the demo wrote."""
    stack.down(delete_data=True)
    if _folder(stack).exists():
        shutil.rmtree(_folder(stack))


def _folder(stack: Stack) -> Path:
    return stack.setup.state / "demo"


def _prepare(settings: Settings, services: Services) -> dict[str, JobId]:
    """Everything that must be there before the services start; the jobs by name."""
    _say(f"topics: {len(topics.apply(settings))} created")
    _say(f"schemas: {len(schemas.register(settings))} registered")
    ruleset = rulesets.publish(settings, ruleset_files.parse(ruleset_files.default_text()), "demo")
    _say(f"rules: version {ruleset.version} published, {len(ruleset.rules)} rules")
    rows = make_tables(settings, services.customers)
    _say(f"shop: {', '.join(f'{count:,} rows in {name}' for name, count in rows.items())}")
    change_capture.apply(settings, lambda text: _say(f"capture: {text}"))
    _say(f"warehouse: {len(warehouse.migrate(settings))} migrations applied")
    return {job: _submit(settings, job) for job in JOBS}


def _submit(settings: Settings, job: str) -> JobId:
    _say(f"{job}: submitting (it takes a while: Flink starts a client)")
    job_id = submit(job, settings)
    wait_until_running(settings, job_id)
    _say(f"{job}: running; look at it: {settings.flink_rest_url}/#/job/{job_id}/overview")
    return job_id


def _watch(run: Run, jobs: Mapping[str, JobId]) -> None:
    """Let the services run, show what happens, and stop the jobs when they have taken in everything."""
    with ExitStack() as at_the_end:
        screen = Screen(run, jobs[FRAUD_DETECTION], at_the_end.enter_context(_view()))
        running = {name: at_the_end.enter_context(run.services.running(name)) for name in run.services.arguments}
        _say(f"{', '.join(running)}: started")
        while any(service.poll() is None for service in running.values()):
            screen.show()
        for name, service in running.items():
            run.services.require_success(name, service.returncode)
        capture_stream.wait_until_captured(run.settings)
        ledgers = _ledgers(run)
        sent = len(ledgers.sent.of_topic(PAYMENTS.name).arrived)
        _wait(f"{FRAUD_DETECTION} to take in all of {sent:,} payments", lambda: screen.show() >= sent)
        _wait(f"{ORDER_ENRICHMENT} to tell of all orders", lambda: _is_enriched(run, ledgers, screen))
    for job in (FRAUD_DETECTION, ORDER_ENRICHMENT):
        _say(f"{job}: everything is taken in; stopping it, so that all that it has to say is in Kafka")
        stop_with_savepoint(run.settings, jobs[job])
    run.observer.look_to_the_end(DRAIN_SECONDS)
    _say(f"{WAREHOUSE}: waiting for what is on the way")
    _wait(f"{WAREHOUSE} to load everything", lambda: _is_loaded(run, ledgers))
    stop_with_savepoint(run.settings, jobs[WAREHOUSE])
    run.observer.look_to_the_end(DRAIN_SECONDS)


def _wait(what: str, condition: Callable[[], bool]) -> None:
    """Until the condition holds. If it doesn't in time, say so and go on: the proofs tell what is missing."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            _say(f"gave up waiting for {what} after {DRAIN_SECONDS:.0f} s")
            return


def _ledgers(run: Run) -> Ledgers:
    return Ledgers(run.services.sent(), run.services.shop(), int(run.settings.missing_data_hours))


def _is_enriched(run: Run, ledgers: Ledgers, screen: "Screen") -> bool:
    """Whether each order is there, and complete if it can be; watches for a tick."""
    screen.show()
    last = order_proof.last_revisions(run.observer.observed.enriched)
    return all(
        order_id in last and last[order_id].complete == each.result.complete
        for order_id, each in ledgers.expected.items()
    )


def _is_loaded(run: Run, ledgers: Ledgers) -> bool:
    """Whether the warehouse has everything; watches for a tick."""
    run.observer.look(TICK_SECONDS)
    return all(finding.holds for finding in _warehouse_findings(run, ledgers))


class Screen:
    """Joins what the topics and the fraud job say, once a tick."""

    def __init__(self, run: Run, fraud_job: JobId, view: View) -> None:
        self._run, self._fraud_job, self._view = run, fraud_job, view
        self._ends_at = time.monotonic() + run.services.seconds
        self._before = (time.monotonic(), 0)

    def show(self) -> int:
        """Watch for a tick and show what is new; how many payments the fraud job has dealt with."""
        events: list[Noteworthy] = []
        next_tick = time.monotonic() + TICK_SECONDS
        while (left := next_tick - time.monotonic()) > 0:
            events += self._run.observer.look(min(left, 0.1))
        observed = self._run.observer.observed
        accepted = job_figures(self._run.settings, self._fraud_job).accepted
        now, payments = time.monotonic(), observed.records[PAYMENTS.name]
        then, payments_before = self._before
        self._before = now, payments
        shown = figures(
            observed,
            accepted=accepted,
            payments_before=payments_before,
            payments_a_second=(payments - payments_before) / (now - then),
            seconds_left=self._ends_at - now,
        )
        self._view.show(shown, events)
        return accepted + len(observed.dead_letters_of(FRAUD_DETECTION))


def _view() -> View:
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()


def _prove(run: Run, fraud_job: JobFigures) -> None:
    ledgers = _ledgers(run)
    observed = run.observer.observed
    for topic in (PAYMENTS, ORDERS):
        counts = sorted(ledgers.sent.of_topic(topic.name).kinds.items())
        _say(f"\nsent to {topic.name}: {', '.join(f'{count:,} {kind}' for kind, count in counts)}")
    caught = proof.caught(ledgers.sent, observed.alerts)
    rows = [(each.pattern, each.planted, each.caught, ", ".join(each.rules)) for each in caught]
    _say(f"\n{table(('planted fraud', 'incidents', 'caught', 'by the rules'), rows)}")
    wrong = proof.cards_wrongly_suspected(ledgers.sent, observed.alerts)
    _say(f"\nalerts for cards with no planted fraud: {len(wrong):,} cards of {len(_cards(ledgers.sent)):,}\n")
    found = [
        *proof.findings(ledgers.sent, observed, fraud_job.accepted, fraud_job.restarts),
        *proof.poison_findings(ledgers.sent, observed),
        *order_proof.findings(ledgers.expected, observed.enriched),
        *_warehouse_findings(run, ledgers),
    ]
    _say(table(("", "claim", "found"), [("ok" if each.holds else "NO", each.claim, each.found) for each in found]))
    broken = [each for each in found if not each.holds]
    if broken:
        raise DemoError("; ".join(f"{each.claim}: {each.found}" for each in broken))


def _warehouse_findings(run: Run, ledgers: Ledgers) -> Sequence[Finding]:
    filled = read_warehouse(run.settings)
    alerts = [alert.event_id for alert in run.observer.observed.alerts]
    return [
        *warehouse_proof.findings(filled, ledgers.expected, ledgers.sent, alerts),
        *warehouse_proof.shop_findings(ledgers.shop, read_shop(run.settings), filled.shop),
    ]


def _cards(ledger: LedgerContent) -> set[str]:
    return {record.key for record in ledger.of_topic(PAYMENTS.name).records}


def _say(text: str) -> None:
    """Print.

    Raises:
        OSError: nobody reads it any more (a closed pipe, a terminal that is gone); what is said later goes nowhere.
    """
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


if __name__ == "__main__":
    main()
