"""Services that use Kafka wait for a broker that is away, go on by themselves, and lose, repeat and reorder nothing."""

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
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from connectors.settings import Settings
from connectors.topics import NOTIFICATIONS, ORDERS, PAYMENTS, Topic
from local.services import publisher
from local.services.ledger import Ledger, LedgerRecord
from local.services.mailbox.letters import Letters
from local.services.notifier.message import HEADER
from local.services.outgoing import GOOD, Outgoing
from local.services.publisher import Publisher, PublishError, Receipt
from local.stack.supervisor import Stack
from ops import topics
from tests.builders import payment
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import consumer_of, partitions, records_from, wait_for
from tests.e2e.service_process import running
from tests.notifications import notification

END_SECONDS = 240
GOES_ON_WITHIN_SECONDS = 10
AWAY_SECONDS = [20, pytest.param(120, marks=pytest.mark.full)]
RUN = ("--seconds", "15", "--seed", "3")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A broker and a mailbox of this module's own; the environment points to them."""
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-away-") as folder, ExitStack() as at_the_end:
        Path(folder).chmod(0o755)
        at_the_end.enter_context(mock.patch.dict(os.environ, environment_on_free_ports(Path(folder, "stack"))))
        found = Stack.from_environment()
        at_the_end.callback(found.down)
        found.up(["kafka", "mailbox"])
        topics.apply(found.setup.settings)
        yield found


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """Where the broker is."""
    stack.up(["kafka"])
    return stack.setup.settings


class Process:
    """A service of ours, and what it says."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        """Nothing is started."""
        self.ledger, self._output = folder / f"{name}.ledger", folder / f"{name}.out"
        self._command = [sys.executable, "-m", f"local.services.{name}", *arguments, "--ledger", str(self.ledger)]

    def running(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """See `service_process.running`."""
        return running(self._command, {}, self._output)

    @property
    def last_line(self) -> str:
        """What it has said last."""
        return last_line(self._output)

    def silent_seconds(self) -> int:
        """For how long Kafka has not answered; 0 if it does."""
        said = re.search(r"no answer from Kafka for (\d+) s", self.last_line)
        return int(said[1]) if said else 0

    def acknowledged(self) -> int:
        """How many records."""
        said = re.search(r"([\d,]+) acknowledged", self.last_line)
        return int(said[1].replace(",", "")) if said else 0


def last_line(output: Path) -> str:
    """The last whole line that a service has written."""
    return output.read_text().rpartition("\n")[0].rpartition("\n")[2] if output.exists() else ""


class Thread(threading.Thread):
    """Publishes events while Kafka may be away; a failure is raised by `join`."""

    def __init__(self, sender: Publisher, outgoings: Sequence[Outgoing]) -> None:
        """Nothing is published."""
        super().__init__()
        self._sender, self._outgoings, self._failure = sender, outgoings, ""

    def run(self) -> None:
        """Publish."""
        try:
            for outgoing in self._outgoings:
                self._sender.publish_event(outgoing)
        except PublishError as error:
            self._failure = str(error)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        super().join(timeout)
        assert not self.is_alive()
        assert not self._failure


def away_for(output: Path) -> int:
    """For how long Kafka has been away, as the notifier has shown last; 0 if it is there."""
    shown = re.search(r"Kafka away for (\d+) s", last_line(output))
    return int(shown[1]) if shown else 0


def ends(settings: Settings, *of: Topic) -> dict[TopicPartition, int]:
    with consumer_of(settings) as consumer:
        return dict(consumer.end_offsets(partitions(of)))


def found(record: ConsumerRecord) -> tuple[str, int, int, str]:
    return record.topic, record.partition, record.offset, msgspec.json.decode(record.value)["event_id"]


def written_down(record: LedgerRecord) -> tuple[str, int | None, int | None, str | None]:
    return record.topic, record.partition, record.offset, record.event_id


def in_order(records: Sequence[ConsumerRecord]) -> bool:
    """Whether the records of each partition are in the order of their time."""
    times: dict[tuple[str, int], list[int]] = {}
    for record in records:
        times.setdefault((record.topic, record.partition), []).append(record.timestamp)
    return all(each == sorted(each) for each in times.values())


@pytest.mark.parametrize("away_seconds", AWAY_SECONDS)
def test_the_order_and_payment_services_go_on_by_themselves_and_their_ledgers_are_right(
    settings: Settings, stack: Stack, tmp_path: Path, away_seconds: int
) -> None:
    begin_at = ends(settings, ORDERS, PAYMENTS)
    orders = Process(tmp_path, "order_service", "--rate", "5", *RUN)
    payments = Process(tmp_path, "payment_service", "--rate", "100", "--history-hours", "0", "--orders", *RUN)
    both = (orders, payments)

    with orders.running() as first, payments.running() as second:
        wait_for("both to have sent something", lambda: all(each.acknowledged() for each in both))
        stack.kill("kafka")
        wait_for("the outage to pass", lambda: all(each.silent_seconds() >= away_seconds for each in both), 600)
        stack.start("kafka")
        wait_for("both to go on", lambda: not any(each.silent_seconds() for each in both), GOES_ON_WITHIN_SECONDS)
        statuses = [first.wait(END_SECONDS), second.wait(END_SECONDS)]

    assert statuses == [0, 0], [each.last_line for each in both]
    ledgers = [Ledger.read(each.ledger) for each in both]
    records = list(records_from(settings, begin_at))
    assert all(content.summary and content.summary.complete for content in ledgers)
    assert sorted(map(found, records)) == sorted(written_down(each) for content in ledgers for each in content.records)
    assert in_order(records)


def test_services_that_start_while_the_broker_is_away_wait_for_it_and_go_on(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    begin_at = ends(settings, ORDERS, PAYMENTS)
    orders = Process(tmp_path, "order_service", "--rate", "5", *RUN)
    payments = Process(tmp_path, "payment_service", "--rate", "20", "--history-hours", "0", "--orders", *RUN)
    notifier, said = [sys.executable, "-m", "local.services.notifier"], tmp_path / "said"

    stack.kill("kafka")
    with (
        orders.running() as first,
        payments.running() as second,
        running(notifier, {"MILLRACE_CONSUMER_GROUP_PREFIX": "away-at-the-start"}, said) as third,
    ):
        away = re.compile(r"the Kafka broker at \S+ has been away for ([5-9]|\d\d) s")
        lines = [lambda: orders.last_line, lambda: payments.last_line, lambda: last_line(said)]
        wait_for("all to report the outage", lambda: all(away.search(line()) for line in lines), 60)
        stack.start("kafka")
        statuses = [first.wait(END_SECONDS), second.wait(END_SECONDS)]
        wait_for("the notifier to work", lambda: "0 delivered (" in last_line(said))
        third.send_signal(signal.SIGTERM)
        statuses.append(third.wait(END_SECONDS))

    assert statuses == [0, 0, 0], [line() for line in lines]
    ledgers = [Ledger.read(each.ledger) for each in (orders, payments)]
    records = list(records_from(settings, begin_at))
    assert all(content.summary and content.summary.complete for content in ledgers)
    assert sorted(map(found, records)) == sorted(written_down(each) for content in ledgers for each in content.records)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("command", ["topics list", "dead-letters count"])
def test_command_that_starts_while_the_broker_is_away_waits_for_it(stack: Stack, tmp_path: Path, command: str) -> None:
    said = tmp_path / "said"

    stack.kill("kafka")
    with running([sys.executable, "-m", "ops", *command.split()], {}, said) as process:
        away = re.compile(r"the Kafka broker at \S+ has been away for ([3-9]|\d\d) s")
        wait_for("the command to report the outage", lambda: away.search(last_line(said)), 60)
        stack.start("kafka")
        status = process.wait(END_SECONDS)

    assert status == 0, said.read_text()
    assert "is back after" in said.read_text()


def test_records_that_wait_are_limited_and_then_the_sender_waits(
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
        thread = Thread(sender, outgoings[1:])
        thread.start()
        wait_for("no more to be taken", lambda: sender.waiting == 100 and sender.silent_seconds > 1)
        assert sender.sent == 101
        stack.start("kafka")
        thread.join(END_SECONDS)

    sent = [msgspec.json.decode(record.value)["event_id"] for record in records_from(settings, begin_at)]
    assert sorted(sent) == sorted(each.event_id for each in events)
    assert sum(receipt.offset is not None for receipt in receipts) == 300


@pytest.mark.parametrize("away_seconds", AWAY_SECONDS)
def test_the_notifier_goes_on_by_itself_and_delivers_each_message_once(
    settings: Settings, stack: Stack, tmp_path: Path, away_seconds: int
) -> None:
    folder = stack.service("mailbox").place.data
    name = f"away-{away_seconds}"
    events = [notification(f"{name}-{number}", recipient=f"customer-{number % 7}") for number in range(40)]
    outgoings = [Outgoing(NOTIFICATIONS, e.recipient.encode(), e.event_time, e.event_time, GOOD, e) for e in events]

    def delivered() -> Counter[str]:
        ids = [str(letter.read()[HEADER]) for letter in Letters(folder).newest()]
        return Counter(each for each in ids if each.startswith(name))

    command = [sys.executable, "-m", "local.services.notifier"]
    with (
        Publisher(settings.kafka_bootstrap_servers, lambda _outgoing, _receipt: None) as sender,
        running(command, {"MILLRACE_CONSUMER_GROUP_PREFIX": name}, tmp_path / "said") as service,
    ):
        for outgoing in outgoings[:20]:
            sender.publish_event(outgoing)
        wait_for("the first half to be delivered", lambda: len(delivered()) == 20)
        stack.kill("kafka")
        for outgoing in outgoings[20:]:
            sender.publish_event(outgoing)
        wait_for("the notifier to show the outage", lambda: away_for(tmp_path / "said") >= away_seconds, 600)
        stack.start("kafka")
        wait_for("the second half to be delivered", lambda: len(delivered()) == 40, END_SECONDS)
        wait_for("the notifier to show that Kafka is back", lambda: away_for(tmp_path / "said") == 0)
        service.send_signal(signal.SIGTERM)
        status = service.wait(END_SECONDS)

    assert status == 0, (tmp_path / "said").read_text()
    assert delivered() == Counter({event.event_id: 1 for event in events})
