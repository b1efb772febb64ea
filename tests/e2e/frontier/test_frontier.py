"""The frontier on the real stack never runs ahead, also while things are killed, and is complete at the end.

Payments and orders flow, with a ledger of what Kafka has acknowledged. Before each question the ledger is read, after
each answer the sinks: what the ledger had up to the frontier must be in them.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.kafka import topics
from connectors.postgres.client import connecting
from connectors.settings import Settings
from events import CaptureHeartbeat, EnrichedOrder
from jobs import flow, warehouse
from local.simulator.clock import Clock
from local.simulator.faults import Faults
from local.simulator.ledger import Ledger, LedgerRecord
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.payment_service import PaymentOptions, generate
from local.simulator.progress import Progress
from local.simulator.publishing import publish_all
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import ARROWS, Arrow
from ops.frontier.observer import Observer, Picture
from ops.health.scope import Scope
from ops.jobs.submit import of_job, send
from ops.topics import apply as topic_operations
from ops.warehouse import database as warehouse_operations
from tests.e2e.deployment import FAST_CHECKPOINTS, OUTPUTS, Deployment, publish_default_rules, wait_for
from tests.reference_runs import fraud_detection as reference_run

PROGRAMS = (flow.FRAUD_DETECTION, flow.ORDER_ENRICHMENT, flow.WAREHOUSE)
ASKED = tuple(each for each in ARROWS if each.program in PROGRAMS)
PAYMENTS_JUDGED = Arrow(flow.FRAUD_DETECTION, topics.PAYMENTS)
ORDERS_ENRICHED = Arrow(flow.ORDER_ENRICHMENT, topics.ORDERS)
PAYMENTS_LOADED = Arrow(flow.WAREHOUSE, topics.PAYMENTS)
HEARTBEAT_AHEAD_MS = 120_000
FAULTS = Faults(duplicates=0.01, out_of_order_seconds=3, late=0.002, bad=0.01)
PAUSE_SECONDS = 0.5


@dataclass
class Checked:
    """The jobs of a deployment, what was sent to them, and the questions about them."""

    settings: Settings
    jobs: Mapping[str, Deployment]
    sent: Sequence[Outgoing]
    ledger: Path
    observer: Observer = field(default_factory=Observer)
    known: Counter[str] = field(default_factory=Counter)
    """Number of answers by what they are about."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Number of arrows without an answer, by reason, for the message of a failure."""

    def __post_init__(self) -> None:
        judged = reference_run.judged(self.sent, reference_run.default_ruleset())
        self._alerts = {each.payment_id: each.event_id for each in reference_run.alerts(judged)}

    def ask(self) -> Picture:
        """Ask for the frontier, and hold the answer against the ledger as it was before the question."""
        acknowledged = Ledger.read(self.ledger).arrived
        picture = self.observer.observe(Scope(self.settings), ASKED)
        self.reasons.update(each.unknown for each in picture.arrows.values() if each.unknown)
        payments = [each for each in acknowledged if each.topic == topics.PAYMENTS.name and each.payment_id]
        orders = [each for each in acknowledged if each.topic == topics.ORDERS.name and each.order_id]
        judged = [each for each in payments if each.payment_id in self._alerts]

        def of_payment(record: LedgerRecord) -> str:
            return record.payment_id or ""

        def of_order(record: LedgerRecord) -> str:
            return record.order_id or ""

        def of_alert(record: LedgerRecord) -> str:
            return self._alerts[of_payment(record)]

        found, postgres = picture.arrows, picture.sinks()[flow.WAREHOUSE.target]
        self._check("alerts", found[PAYMENTS_JUDGED], judged, of_alert, self._alert_ids)
        self._check("enriched orders", found[ORDERS_ENRICHED], orders, of_order, self._enriched_ids)
        self._check("payments in PostgreSQL", found[PAYMENTS_LOADED], payments, of_payment, self._loaded_payments)
        self._check("all payments in PostgreSQL", postgres, payments, of_payment, self._loaded_payments)
        self._check("all orders in PostgreSQL", postgres, orders, of_order, self._loaded_orders)
        return picture

    def _check(
        self,
        what: str,
        found: Frontier,
        records: Sequence[LedgerRecord],
        id_of: Callable[[LedgerRecord], str],
        read: Callable[[], set[str]],
    ) -> None:
        if found.unknown:
            return
        wanted = {id_of(each) for each in records if found.is_complete or each.event_time <= (found.up_to or 0)}
        if not wanted:
            return
        self.known[what] += 1
        missing = wanted - read()
        assert missing == set(), f"{what} run ahead: {len(missing)} of {len(wanted)} are missing; {found}"

    def _alert_ids(self) -> set[str]:
        return {each.event_id for each in self.jobs[flow.FRAUD_DETECTION.name].outputs().alerts()}

    def _enriched_ids(self) -> set[str]:
        events = self.jobs[flow.ORDER_ENRICHMENT.name].outputs().events[topics.ENRICHED_ORDERS.name]
        return {each.order_id for each in events if isinstance(each, EnrichedOrder)}

    def _loaded_payments(self) -> set[str]:
        return self._column("SELECT payment_id FROM warehouse.fact_payment")

    def _loaded_orders(self) -> set[str]:
        return self._column("SELECT order_id FROM warehouse.fact_order")

    def _column(self, query: str) -> set[str]:
        with connecting(warehouse_operations.address(self.settings), statement_seconds=30) as connection:
            return {str(value) for (value,) in connection.execute(query.encode())}


@contextmanager
def flowing(checked: Checked) -> Iterator[threading.Thread]:
    """Send everything at its time while the block runs, and wait until all was acknowledged."""
    publisher = threading.Thread(
        target=publish_all,
        args=(checked.sent, checked.settings.kafka_bootstrap_servers),
        kwargs={
            "clock": Clock(round(time.time() * 1000), speed=1),
            "progress": Progress("frontier", True),
            "ledger": checked.ledger,
        },
    )
    publisher.start()
    try:
        wait_for("the ledger", checked.ledger.exists)
        yield publisher
    finally:
        publisher.join()


def records(seconds: float) -> list[Outgoing]:
    """Return payments and orders from now on, and a heartbeat by which no order waits for capture."""
    now = round(time.time() * 1000)
    beat = CaptureHeartbeat(
        event_id=f"frontier-{now}",
        event_time=now + HEARTBEAT_AHEAD_MS,
        op="u",
        lsn=1,
        deleted=False,
        connector="frontier",
        beats=1,
    )
    heartbeat = Outgoing(topics.CAPTURE_HEARTBEATS, b"frontier", beat.event_time, now, GOOD, beat)
    options = PaymentOptions(
        start_ms=now + 1000,
        rate=60,
        seconds=seconds,
        seed=27,
        fraud_share=0.2,
        history_hours=0,
        orders_rate=10,
        faults=FAULTS,
    )
    return [heartbeat, *generate(options)]


@pytest.fixture
def deployments(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Deployment]]:
    """Fraud detection, order enrichment and the warehouse, which have read nothing, and empty tables."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    publish_default_rules(settings)
    warehouse_operations.migrate(settings)
    with connecting(warehouse_operations.address(settings), statement_seconds=30) as connection:
        connection.execute("TRUNCATE " + ", ".join(f"warehouse.{target}" for target in warehouse.TARGETS))
    prefix = request.node.name
    inputs = {flow.ORDER_ENRICHMENT: (*flow.ORDER_ENRICHMENT.reads, topics.CAPTURE_HEARTBEATS)}
    outputs = {flow.FRAUD_DETECTION: OUTPUTS, flow.ORDER_ENRICHMENT: (topics.ENRICHED_ORDERS, topics.DEAD_LETTERS)}
    made = {
        each.name: Deployment(
            settings,
            prefix,
            job=each.name,
            inputs=inputs.get(each, each.reads),
            outputs=outputs.get(each, (topics.DEAD_LETTERS,)),
        )
        for each in PROGRAMS
    }
    try:
        submissions = [of_job(name) for name in made]
        ids = send(submissions, replace(settings, consumer_group_prefix=prefix), options=FAST_CHECKPOINTS)
        for deployment, job_id in zip(made.values(), ids, strict=True):
            deployment.job_id = job_id
            deployment.wait_until_running()
        yield made
    finally:
        for deployment in made.values():
            deployment.cancel()


def checked_flow(deployments: Mapping[str, Deployment], folder: Path, seconds: float) -> Checked:
    settings = deployments[flow.WAREHOUSE.name].settings
    return Checked(settings, deployments, records(seconds), folder / "ledger.jsonl")


def ask_until(checked: Checked, condition: Callable[[Picture], bool]) -> None:
    """Ask again and again until an answer meets the condition."""

    def is_met() -> bool:
        return condition(checked.ask())

    try:
        wait_for("the frontier", is_met, most_poll_seconds=PAUSE_SECONDS)
    except TimeoutError as timeout:
        raise AssertionError(f"known: {checked.known}, unknown: {checked.reasons}") from timeout


def assert_command_agrees(settings: Settings) -> None:
    """Assert that the command finds everything complete, too."""
    only = [word for program in PROGRAMS for word in ("--only", program.name)]
    done = CliRunner().invoke(main, ["frontier", "--json", *only], env=settings.as_variables())
    found = json.loads(done.stdout)
    assert done.exit_code == 0, found
    assert found["whole"]["complete"], found
    assert [each for each in found["arrows"] if not each["complete"]] == []


def test_frontier_never_runs_ahead_of_the_ledger_and_is_complete_at_the_end(
    deployments: Mapping[str, Deployment], tmp_path: Path
) -> None:
    checked = checked_flow(deployments, tmp_path, seconds=20)

    with flowing(checked) as publisher:
        while publisher.is_alive():
            checked.ask()
            time.sleep(PAUSE_SECONDS)
    ask_until(checked, lambda picture: picture.whole().is_complete)

    assert min(checked.known.values()) > 1
    assert len(checked.known) == 5
    assert_command_agrees(checked.settings)


@pytest.mark.full
def test_frontier_never_runs_ahead_while_a_taskmanager_and_the_broker_are_killed(
    deployments: Mapping[str, Deployment], stack: Stack, tmp_path: Path
) -> None:
    checked = checked_flow(deployments, tmp_path, seconds=40)

    def ask_for(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            checked.ask()
            time.sleep(PAUSE_SECONDS)

    with flowing(checked):
        ask_until(checked, lambda picture: not picture.whole().unknown)
        taskmanager = deployments[flow.ORDER_ENRICHMENT.name].taskmanager()
        stack.kill(taskmanager)
        ask_for(5)
        stack.start(taskmanager)
        ask_until(checked, lambda picture: not picture.whole().unknown)
        stack.kill("kafka")
        ask_for(5)
        stack.start("kafka")
        ask_for(10)
    for deployment in deployments.values():
        deployment.wait_until_running()
    ask_until(checked, lambda picture: picture.whole().is_complete)

    assert deployments[flow.ORDER_ENRICHMENT.name].restarts() >= 1
    assert len(checked.known) == 5
