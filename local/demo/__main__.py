"""`python -m local.demo`: boot, submit, let payments flow, watch, prove, shut down."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from kafka.errors import KafkaError
from rich.console import Console

from connectors.schema_registry import RegistryError
from connectors.settings import Settings
from connectors.topics import PAYMENTS
from local.demo import proof
from local.demo.job_figures import JobFigures, job_figures
from local.demo.observer import Observer
from local.demo.view import LiveView, PlainView, View, figures
from local.services.ledger import Ledger, LedgerContent
from local.services.ledger_file import LedgerError
from local.settings import state_directory
from local.stack.__main__ import FAULTS
from local.stack.supervisor import Stack
from ops import rulesets, schemas, topics
from ops.flink_rest import FlinkError
from ops.jobs import JobId, stop_with_savepoint, wait_until_running
from ops.rulesets import PublicationError
from ops.schemas import SchemasRefusedError
from ops.submit import submit
from ops.tables import table
from ops.topics import TopicsBlockedError
from udfs import ruleset_files

JOB = "fraud_detection"
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK_SECONDS = 1.0
OPERATING_FAULTS = (FlinkError, KafkaError, PublicationError, RegistryError, SchemasRefusedError, TopicsBlockedError)
DRAIN_SECONDS = 90.0
SERVICE_END_SECONDS = 60.0


class DemoError(RuntimeError):
    """The demo can't go on, or its proof doesn't hold; the text says why."""


@dataclass(frozen=True)
class Run:
    """A demo under way."""

    settings: Settings
    folder: Path
    """Ledgers and the services' output; deleted at the end with all else."""
    seconds: float
    rate: float
    seed: int

    @property
    def ledgers(self) -> tuple[Path, Path]:
        """Of the payment service and the order service."""
        return self.folder / "payments.ledger", self.folder / "orders.ledger"


@click.command(help="See the whole path work on this machine.")
@click.option("--seconds", default=60.0, show_default=True, help="How long payments flow.")
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
        run = Run(Settings.from_environment(), _folder(stack), seconds, rate, seed)
        run.folder.mkdir()
        job_id = _prepare(run)
        observer = Observer(run.settings)
        at_the_end.callback(observer.close)
        figures_at_end = _watch(run, job_id, observer)
        _prove(run, observer, figures_at_end)


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


def _prepare(run: Run) -> JobId:
    _say(f"topics: {len(topics.apply(run.settings))} created")
    _say(f"schemas: {len(schemas.register(run.settings))} registered")
    ruleset = rulesets.publish(run.settings, ruleset_files.parse(ruleset_files.default_text()), "demo")
    _say(f"rules: version {ruleset.version} published, {len(ruleset.rules)} rules")
    _say(f"{JOB}: submitting (it takes a while: Flink starts a client)")
    job_id = submit(JOB, run.settings)
    wait_until_running(run.settings, job_id)
    _say(f"{JOB}: running; look at it: {run.settings.flink_rest_url}/#/job/{job_id}/overview")
    return job_id


def _watch(run: Run, job_id: JobId, observer: Observer) -> JobFigures:
    """Let the services run, show what happens, and stop the job when it has taken in everything."""
    with ExitStack() as at_the_end:
        screen = Screen(run, job_id, observer, at_the_end.enter_context(_view()))
        services = [at_the_end.enter_context(_service(name, arguments, run)) for name, arguments in _services(run)]
        while any(service.poll() is None for service in services):
            screen.show()
        _require_success(services, run)
        sent = len(_ledgers(run).of_topic(PAYMENTS.name).arrived)
        deadline = time.monotonic() + DRAIN_SECONDS
        while screen.show() < sent:
            if time.monotonic() > deadline:
                raise DemoError(f"after {DRAIN_SECONDS:.0f} s the job had not taken in all of {sent:,} payments")
    _say(f"{JOB}: everything is taken in; stopping it, so that all that it has to say is in Kafka")
    stop_with_savepoint(run.settings, job_id)
    observer.look_to_the_end(DRAIN_SECONDS)
    return job_figures(run.settings, job_id)


class Screen:
    """Joins what the topics and the job say, once a tick."""

    def __init__(self, run: Run, job_id: str, observer: Observer, view: View) -> None:
        self._run, self._job_id, self._observer, self._view = run, job_id, observer, view
        self._ends_at = time.monotonic() + run.seconds
        self._before = (time.monotonic(), 0)

    def show(self) -> int:
        """Watch for a tick and show what is new; how many payments the job has dealt with."""
        alerts = []
        next_tick = time.monotonic() + TICK_SECONDS
        while (left := next_tick - time.monotonic()) > 0:
            alerts += self._observer.look(min(left, 0.1))
        observed = self._observer.observed
        accepted = job_figures(self._run.settings, self._job_id).accepted
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
        self._view.show(shown, alerts)
        return accepted + len(observed.dead_letters_of(PAYMENTS))


def _view() -> View:
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView()


def _services(run: Run) -> list[tuple[str, list[str]]]:
    """Modules of `local.services`, and their arguments."""
    common = ["--seconds", str(run.seconds), "--seed", str(run.seed), "--quiet"]
    payments, orders = run.ledgers
    faults = ["--duplicates", "0.005", "--out-of-order-seconds", "3", "--late", "0.001", "--poison", "0.01"]
    return [
        ("order_service", [*common, "--rate", str(run.rate / 40), "--ledger", str(orders)]),
        (
            "payment_service",
            [*common, "--rate", str(run.rate), "--orders", "--fraud-share", "0.01", *faults, "--ledger", str(payments)],
        ),
    ]


@contextmanager
def _service(name: str, arguments: list[str], run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A service as a process of its own, ended with the block."""
    with _output(run, name).open("wb") as output:
        service = subprocess.Popen(
            [sys.executable, "-m", f"local.services.{name}", *arguments], stdout=output, stderr=subprocess.STDOUT
        )
    _say(f"{name}: started")
    try:
        yield service
    finally:
        if service.poll() is None:
            service.terminate()
            try:
                service.wait(SERVICE_END_SECONDS)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()


def _output(run: Run, name: str) -> Path:
    return run.folder / f"{name}.out"


def _require_success(services: list[subprocess.Popen[bytes]], run: Run) -> None:
    for (name, _), service in zip(_services(run), services, strict=True):
        if service.returncode:
            raise DemoError(f"{name} failed: {_output(run, name).read_text(errors='replace').strip()[-1000:]}")


def _ledgers(run: Run) -> LedgerContent:
    """What both services sent."""
    contents = [Ledger.read(path) for path in run.ledgers]
    return LedgerContent(tuple(record for content in contents for record in content.records), None)


def _prove(run: Run, observer: Observer, job: JobFigures) -> None:
    ledger = _ledgers(run)
    observed = observer.observed
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(ledger.of_topic(PAYMENTS.name).kinds.items()))
    _say(f"\nsent to {PAYMENTS.name}: {kinds}\n")
    caught = proof.caught(ledger, observed.alerts)
    rows = [(each.pattern, each.planted, each.caught, ", ".join(each.rules)) for each in caught]
    _say(table(("planted fraud", "incidents", "caught", "by the rules"), rows))
    wrong = proof.cards_wrongly_suspected(ledger, observed.alerts)
    _say(f"\nalerts for cards with no planted fraud: {len(wrong):,} cards of {len(_cards(ledger)):,}\n")
    found = list(proof.findings(ledger, observed, job.accepted, job.restarts))
    _say(table(("", "claim", "found"), [("ok" if each.holds else "NO", each.claim, each.found) for each in found]))
    broken = [each for each in found if not each.holds]
    if broken:
        raise DemoError("; ".join(f"{each.claim}: {each.found}" for each in broken))


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
