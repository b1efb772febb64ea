"""Services that use Kafka wait while the broker is unavailable, resume, and lose, repeat and reorder nothing."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import msgspec
import psutil
import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.topics import NOTIFICATIONS, ORDERS, PAYMENTS, Topic
from connectors.settings import Settings
from local.simulator import publisher
from local.simulator.ledger import Ledger, LedgerRecord
from local.simulator.outgoing import GOOD, Outgoing
from local.simulator.publisher import Publisher, PublishError, Receipt
from local.stack.mailbox.messages import newest
from local.stack.supervisor import Stack
from notifier.message import HEADER
from ops.topics import apply as topics
from tests.builders.events import payment
from tests.builders.notifications import notification
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import DEADLINE_SECONDS, consumer_of, partitions, records_from, wait_for
from tests.services.mail_servers import running_mailbox
from tests.services.service_process import running

pytestmark = pytest.mark.full

RESUMES_WITHIN_SECONDS = 60
OUTAGE_SECONDS = [20, 120]
OUTAGE_LINE = re.compile(r"the Kafka broker at \S+ has been unavailable for ([3-9]|\d\d+) s")
NOTIFIER = [sys.executable, "-m", "notifier"]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A broker and a mailbox of this module's own; the environment points to them."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-outage-") as folder, ExitStack() as at_the_end:
        Path(folder).chmod(0o755)
        at_the_end.enter_context(mock.patch.dict(os.environ, environment_on_free_ports(Path(folder, "stack"))))
        found = Stack.from_environment()
        at_the_end.callback(found.down)
        found.up(["kafka", "mailbox"])
        topics.apply(found.setup.settings)
        yield found


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """Settings of a running broker."""
    stack.up(["kafka"])
    return stack.setup.settings


class Service:
    """A simulated service as a process, with its output and ledger."""

    def __init__(self, folder: Path, name: str, service: str, *arguments: str) -> None:
        """Prepare the command; nothing is started."""
        self.ledger, self._output = folder / f"{name}-{service}.ledger", folder / f"{name}-{service}.out"
        self._command = [sys.executable, "-m", f"local.simulator.{service}", *arguments, "--ledger", str(self.ledger)]

    def running(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run the service: see `service_process.running`."""
        return running(self._command, {}, self._output)

    @property
    def last_line(self) -> str:
        """The last line of output."""
        return last_line(self._output)

    def silent_seconds(self) -> int:
        """Return for how many seconds Kafka has not answered; 0 if it answers."""
        shown = re.search(r"no answer from Kafka for (\d+) s", self.last_line)
        return int(shown[1]) if shown else 0

    def acknowledged(self) -> int:
        """Return how many records are acknowledged."""
        shown = re.search(r"([\d,]+) acknowledged", self.last_line)
        return int(shown[1].replace(",", "")) if shown else 0


def last_line(output: Path) -> str:
    """Return the last whole line that a service has written."""
    return output.read_text().rpartition("\n")[0].rpartition("\n")[2] if output.exists() else ""


class PublishingThread(threading.Thread):
    """A thread that publishes events while Kafka may be unavailable; `join` raises a failure."""

    def __init__(self, sender: Publisher, outgoings: Sequence[Outgoing]) -> None:
        """Create the thread; nothing is published yet."""
        super().__init__()
        self._sender, self._outgoings, self._failure = sender, outgoings, ""

    def run(self) -> None:
        """Publish the events."""
        try:
            for outgoing in self._outgoings:
                self._sender.publish_event(outgoing)
        except PublishError as error:
            self._failure = str(error)

    def join(self, timeout: float | None = None) -> None:
        """Wait until all events are published."""
        super().join(timeout)
        assert not self.is_alive()
        assert not self._failure


def outage_shown(output: Path) -> int:
    """Return for how many seconds Kafka has been unavailable by the notifier's last line; 0 if it is available."""
    shown = re.search(r"Kafka unavailable for (\d+) s", last_line(output))
    return int(shown[1]) if shown else 0


def ends(settings: Settings, *of: Topic) -> dict[TopicPartition, int]:
    with consumer_of(settings) as consumer:
        return dict(consumer.end_offsets(partitions(of)))


def found(record: ConsumerRecord) -> tuple[str, int, int, str]:
    return record.topic, record.partition, record.offset, msgspec.json.decode(record.value)["event_id"]


def ledger_place_and_id(record: LedgerRecord) -> tuple[str, int | None, int | None, str | None]:
    return record.topic, record.partition, record.offset, record.event_id


def in_order(records: Sequence[ConsumerRecord]) -> bool:
    """Return whether the records of each partition are in the order of their time."""
    times: dict[tuple[str, int], list[int]] = {}
    for record in records:
        times.setdefault((record.topic, record.partition), []).append(record.timestamp)
    return all(each == sorted(each) for each in times.values())


@dataclass(frozen=True)
class Outage:
    """The state of programs after an outage of the broker."""

    resumed: Sequence[Service]
    """Services that had sent records before the outage."""
    started_during: Sequence[Service]
    """Services that started during the outage."""
    statuses: Sequence[int]
    """Exit statuses of all services and notifiers."""
    records: Sequence[ConsumerRecord]
    """All orders and payments."""
    notifications: Sequence[str]
    """Ids of the notifications, half of which were published before the outage."""
    delivered: Sequence[Counter[str]]
    """Mails by id, of the notifier that ran before and of the one that started during the outage."""


@pytest.fixture(scope="module")
def outage(stack: Stack, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Outage:
    """One outage for all programs; the parameter is its duration in seconds."""
    outage_seconds: int = request.param
    folder, settings, name = tmp_path_factory.mktemp("outage"), stack.setup.settings, f"outage-{outage_seconds}"
    stack.up(["kafka"])
    begin_at = ends(settings, ORDERS, PAYMENTS)
    resumed = services(folder, "before", "--seed", "3")
    started_during = services(folder, "meanwhile", "--seed", "4")
    output, later_output = folder / "notifier", folder / "second-notifier"
    events = [notification(f"{name}-{number}", recipient=f"customer-{number % 7}") for number in range(40)]
    outgoings = [Outgoing(NOTIFICATIONS, e.recipient.encode(), e.event_time, e.event_time, GOOD, e) for e in events]
    mailbox, second_mailbox = stack.service("mailbox").place.data, folder / "second-mailbox"

    def delivered(to: Path = mailbox) -> Counter[str]:
        ids = [str(kept.read()[HEADER]) for kept in newest(to)]
        return Counter(each for each in ids if each.startswith(name))

    with ExitStack() as running_all:
        enter = running_all.enter_context
        sender = enter(Publisher(settings.kafka_bootstrap_servers, lambda _outgoing, _receipt: None))
        runs = [enter(each.running()) for each in resumed]
        notifiers = [enter(running(NOTIFIER, {"MILLRACE_CONSUMER_GROUP_PREFIX": name}, output))]
        for outgoing in outgoings[:20]:
            sender.publish_event(outgoing)
        wait_for("both to have sent something", lambda: all(each.acknowledged() for each in resumed))
        wait_for("the first half to be delivered", lambda: len(delivered()) == 20)

        stack.kill("kafka")
        for outgoing in outgoings[20:]:
            sender.publish_event(outgoing)
        runs += [enter(each.running()) for each in started_during]
        smtp = f"smtp://127.0.0.1:{enter(running_mailbox(second_mailbox))}"
        later = {"MILLRACE_CONSUMER_GROUP_PREFIX": f"{name}-later", "MILLRACE_SMTP_URL": smtp}
        notifiers.append(enter(running(NOTIFIER, later, later_output)))
        wait_for("the outage to pass", lambda: all(each.silent_seconds() >= outage_seconds for each in resumed), 600)
        wait_for("the notifier to show it", lambda: outage_shown(output) >= outage_seconds)
        lines = [*(lambda each=each: each.last_line for each in started_during), lambda: last_line(later_output)]
        wait_for("all that started to show it", lambda: all(OUTAGE_LINE.search(line()) for line in lines))

        stack.start("kafka")
        wait_for("both to continue", lambda: not any(each.silent_seconds() for each in resumed), RESUMES_WITHIN_SECONDS)
        wait_for("the second half to be delivered", lambda: len(delivered()) == 40, DEADLINE_SECONDS)
        wait_for("the notifier to show that Kafka is back", lambda: outage_shown(output) == 0)
        wait_for("the second notifier to deliver all", lambda: len(delivered(second_mailbox)) == 40, DEADLINE_SECONDS)
        statuses = [run.wait(DEADLINE_SECONDS) for run in runs]
        for notifier in notifiers:
            notifier.send_signal(signal.SIGTERM)
        statuses += [notifier.wait(DEADLINE_SECONDS) for notifier in notifiers]

    records = list(records_from(settings, begin_at))
    mails = [delivered(), delivered(second_mailbox)]
    return Outage(resumed, started_during, statuses, records, [each.event_id for each in events], mails)


def services(folder: Path, name: str, *arguments: str) -> Sequence[Service]:
    """Return the simulated order and payment services."""
    arguments = ("--seconds", "15", *arguments)
    return (
        Service(folder, name, "order_service", "--rate", "5", *arguments),
        Service(folder, name, "payment_service", "--rate", "100", "--history-hours", "0", "--orders", *arguments),
    )


@pytest.mark.parametrize("outage", OUTAGE_SECONDS, indirect=True)
def test_order_and_payment_services_resume_with_correct_ledgers(outage: Outage) -> None:
    ledgers = [Ledger.read(each.ledger) for each in outage.resumed]

    assert set(outage.statuses) == {0}, [each.last_line for each in outage.resumed]
    assert all(content.summary and content.summary.complete for content in ledgers)
    for content in ledgers:
        own = {ledger_place_and_id(each) for each in content.records}
        records = [each for each in outage.records if found(each) in own]
        assert len(records) == len(own) == len(content.records)
        assert in_order(records)


@pytest.mark.parametrize("outage", OUTAGE_SECONDS, indirect=True)
def test_services_started_without_a_broker_wait_and_then_send_everything(outage: Outage) -> None:
    ledgers = [Ledger.read(each.ledger) for each in (*outage.resumed, *outage.started_during)]

    assert set(outage.statuses) == {0}, [each.last_line for each in outage.started_during]
    assert all(content.summary and content.summary.complete for content in ledgers)
    written = [ledger_place_and_id(each) for content in ledgers for each in content.records]
    assert sorted(map(found, outage.records)) == sorted(written)


@pytest.mark.parametrize("command", ["topics list", "dead-letters count"])
def test_command_started_without_a_broker_waits_for_the_broker(
    settings: Settings,  # noqa: ARG001 - the broker must run, and its address is in the environment
    stack: Stack,
    tmp_path: Path,
    command: str,
) -> None:
    output = tmp_path / "output"
    # The broker is suspended, not killed: on a busy machine a start takes longer than commands wait.
    broker = psutil.Process(stack.status()[0].pid)

    broker.suspend()
    try:
        with running([sys.executable, "-m", "ops", *command.split()], {}, output) as run:
            wait_for("the command to show it", lambda: bool(OUTAGE_LINE.search(last_line(output))))
            broker.resume()
            status = run.wait(DEADLINE_SECONDS)
    finally:
        broker.resume()

    assert status == 0, output.read_text()
    assert "is back after" in output.read_text()


@pytest.mark.parametrize("outage", OUTAGE_SECONDS, indirect=True)
def test_notifier_resumes_after_an_outage_and_delivers_each_mail_once(outage: Outage) -> None:
    assert outage.delivered == [Counter(outage.notifications)] * 2


def test_sender_waits_when_its_limit_of_unsent_records_is_reached(
    settings: Settings, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "MOST_IN_FLIGHT", 100)
    begin_at = ends(settings, PAYMENTS)
    now = time.time_ns() // 1_000_000
    events = [payment(f"card-{number % 7}", payment_id=f"p{number}", event_time=now + number) for number in range(300)]
    outgoings = [Outgoing(PAYMENTS, e.card_id.encode(), e.event_time, e.event_time, GOOD, e) for e in events]
    receipts: list[Receipt] = []

    with Publisher(settings.kafka_bootstrap_servers, lambda _, receipt: receipts.append(receipt)) as sender:
        sender.publish_event(outgoings[0])
        sender.flush()
        stack.kill("kafka")
        thread = PublishingThread(sender, outgoings[1:])
        thread.start()
        wait_for("no more to be taken", lambda: sender.waiting == 100 and sender.silent_seconds > 1)
        assert sender.sent == 101
        stack.start("kafka")
        thread.join(DEADLINE_SECONDS)

    sent = [msgspec.json.decode(record.value)["event_id"] for record in records_from(settings, begin_at)]
    assert sorted(sent) == sorted(each.event_id for each in events)
    assert sum(receipt.offset is not None for receipt in receipts) == 300
