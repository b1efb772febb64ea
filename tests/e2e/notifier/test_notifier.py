"""Each notification reaches its recipient or is a dead letter, over Kafka and SMTP, also after crashes.

Mails in flight when the notifier or the mail server was killed are sent again, with the same id.
"""

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from connectors.kafka.topics import DEAD_LETTERS, NOTIFICATIONS
from connectors.settings import Settings, variable
from events import DeadLetter, Notification
from local.simulator.outgoing import BAD, GOOD, Outgoing
from local.simulator.publisher import Publisher
from local.stack.mailbox.messages import newest
from local.stack.supervisor import Stack
from notifier import NAME
from notifier.message import HEADER
from notifier.senders import SENDERS
from ops.topics import apply as topics
from tests.builders.notifications import notification
from tests.e2e.deployment import DEADLINE_SECONDS, consumer_of, partitions, records_from, wait_for
from tests.services.mail_servers import mail_server, running_mailbox
from tests.services.service_process import running

UNTIL_IDLE = ("--until-idle", "1")


@dataclass(frozen=True)
class Group:
    """The notifiers of one consumer group, which reads only what is published after it was made."""

    settings: Settings
    name: str
    folder: Path
    """Folder of their output."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables added to their environment."""
    begins_at: dict[TopicPartition, int] = field(default_factory=dict)
    letters_begin_at: dict[TopicPartition, int] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """All output so far."""
        file = self.folder / self.name
        return file.read_text() if file.exists() else ""

    def begin(self, at: Mapping[TopicPartition, int] | None = None) -> None:
        """Let the group read from these offsets, or from the present end."""
        with consumer_of(self.settings, f"{self.name}.{NAME}") as consumer:
            self.begins_at.update(at or consumer.end_offsets(partitions([NOTIFICATIONS])))
            self.letters_begin_at.update(consumer.end_offsets(partitions([DEAD_LETTERS])))
            consumer.assign(list(self.begins_at))
            consumer.commit({each: OffsetAndMetadata(offset, "", -1) for each, offset in self.begins_at.items()})

    @contextmanager
    def running(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a notifier, and kill it at the end if it still runs."""
        self.folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "notifier", *options]
        variables = {variable("consumer_group_prefix"): self.name, **self.variables}
        with running(command, variables, self.folder / self.name) as service:
            yield service

    def run(self) -> str:
        """Run a notifier until it is idle, and return its last line."""
        with self.running(*UNTIL_IDLE) as service:
            assert service.wait(DEADLINE_SECONDS) == 0, self.output
        return self.output.splitlines()[-1]

    def is_all_committed(self) -> bool:
        """Return whether the group has committed all notifications."""
        with consumer_of(self.settings, f"{self.name}.{NAME}") as consumer:
            ends = consumer.end_offsets(list(self.begins_at))
            return all((consumer.committed(each) or 0) >= ends[each] for each in self.begins_at)

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters of any group that were written since this group was made."""
        records = records_from(self.settings, self.letters_begin_at)
        return [msgspec.json.decode(record.value, type=DeadLetter) for record in records]


@dataclass
class RefusingMailServer:
    """A mail server that refuses addresses a configured number of times."""

    refusals: dict[str, list[str]]
    """Answers to each address, one after the other; afterwards the address is accepted."""
    offered: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    """Notification ids in the order in which the mails were accepted."""
    seconds: float = 0
    """Delay before each mail is accepted."""

    def has(self, number: int) -> bool:
        """Return whether at least `number` mails were accepted."""
        return len(self.got) >= number

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer an address."""
        self.offered.append(address)
        if refusals := self.refusals.get(address):
            return refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Accept a mail."""
        await asyncio.sleep(self.seconds)
        assert isinstance(envelope.content, bytes)
        (notification_id,) = re.findall(rb"^X-Notification-Id: (\S+)", envelope.content, re.MULTILINE)
        self.got.append(notification_id.decode())
        return "250 ok"


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:  # noqa: ARG001 - it must run, and its settings are in the environment
    settings = Settings.from_environment()
    topics.apply(settings, [NOTIFICATIONS, DEAD_LETTERS])
    return settings


@pytest.fixture
def group(settings: Settings, request: pytest.FixtureRequest, tmp_path: Path) -> Group:
    made = Group(settings, re.sub(r"\W", "-", request.node.name), tmp_path / "output")
    made.begin()
    return made


def with_variables(group: Group, **variables: str) -> Group:
    """Return the same group with other variables."""
    return Group(
        group.settings,
        group.name,
        group.folder,
        variables,
        begins_at=group.begins_at,
        letters_begin_at=group.letters_begin_at,
    )


def at_port(port: int) -> str:
    return f"smtp://127.0.0.1:{port}"


def made_for(group: Group, number: int, recipients: int = 20) -> list[Notification]:
    """Return notifications to one recipient after the other, with ids of the test's own."""
    return [notification(f"{group.name}-{each}", recipient=f"customer-{each % recipients}") for each in range(number)]


def publish(group: Group, events: Sequence[Notification | bytes]) -> None:
    """Send notifications, and bytes that are none, in this order."""
    now = notification().event_time
    with Publisher(group.settings.kafka_bootstrap_servers, lambda _outgoing, _receipt: None) as publisher:
        for event in events:
            if isinstance(event, bytes):
                publisher.publish_bad_record(Outgoing(NOTIFICATIONS, b"customer-1", now, now, BAD, None, event))
            else:
                at, key = event.event_time, event.recipient.encode()
                publisher.publish_event(Outgoing(NOTIFICATIONS, key, at, at, GOOD, event))


def delivered(group: Group, folder: Path) -> Counter[str]:
    """Return the number of files of each of the group's notifications."""
    ids = [str(kept.read()[HEADER]) for kept in newest(folder)]
    return Counter(each for each in ids if each.startswith(group.name))


def wait_for_files(folder: Path, number: int) -> None:
    """Wait until at least `number` mails are in a mailbox."""
    wait_for(f"{number} messages in {folder}", lambda: len(newest(folder)) >= number)


@pytest.fixture
def mailbox(stack: Stack) -> Path:
    """Folder of the stack's mailbox, which runs and is empty."""
    stack.up(["mailbox"])
    folder = stack.service("mailbox").place.data
    for kept in newest(folder):
        kept.file.unlink()
    return folder


def once(events: Sequence[Notification]) -> Counter[str]:
    return Counter({event.event_id: 1 for event in events})


def assert_delivered(found: Counter[str], events: Sequence[Notification], *, most_duplicates: int) -> None:
    """Assert that each notification was delivered, and no more of them twice than could be in flight at once."""
    assert found.keys() == once(events).keys()
    assert max(found.values()) <= 2
    assert found.total() - len(found) <= most_duplicates


def test_killed_notifier_loses_nothing_and_repeats_only_mails_in_flight(group: Group, mailbox: Path) -> None:
    events = made_for(group, 300)
    publish(group, [*events, *events[:50]])

    with group.running() as service:
        wait_for_files(mailbox, 60)
        service.kill()
        service.wait()
    killed_at = len(delivered(group, mailbox))
    group.run()

    assert killed_at < 300
    assert_delivered(delivered(group, mailbox), events, most_duplicates=SENDERS)
    assert group.is_all_committed()
    assert group.dead_letters() == []


@pytest.mark.full
@pytest.mark.parametrize("has_one_memory", [True, False])
def test_joining_and_leaving_members_lose_and_repeat_no_mail(
    group: Group, tmp_path: Path, *, has_one_memory: bool
) -> None:
    events = made_for(group, 400)
    server = RefusingMailServer({}, seconds=0.1)
    publish(group, events)

    with mail_server(server) as port, ExitStack() as members:

        def join(state: str) -> subprocess.Popen[bytes]:
            own = {} if has_one_memory else {"MILLRACE_STATE": str(tmp_path / state)}
            return members.enter_context(with_variables(group, MILLRACE_SMTP_URL=at_port(port), **own).running())

        first = join("first")
        for number in (1, 2, 3):
            wait_for("some messages", partial(server.has, 60 * number))
            last = join(f"joined-{number}")
        wait_for("some messages", lambda: server.has(280))
        first.send_signal(signal.SIGTERM)
        assert first.wait(DEADLINE_SECONDS) == 0
        wait_for("all messages", lambda: server.has(400))
        wait_for("all of them to have had a part", group.is_all_committed)
        last.send_signal(signal.SIGTERM)
        assert last.wait(DEADLINE_SECONDS) == 0

    assert Counter(server.got) == once(events)


def test_topic_replay_by_the_same_group_delivers_no_mail_again(group: Group) -> None:
    events = made_for(group, 30)
    publish(group, events)
    server = RefusingMailServer({})
    with mail_server(server) as port:
        group = with_variables(group, MILLRACE_SMTP_URL=at_port(port))
        group.run()
        group.begin(at=dict(group.begins_at))

        last_line = group.run()

    assert Counter(server.got) == once(events)
    assert last_line.endswith(": 0 delivered, 30 delivered before")


@pytest.mark.full
def test_second_group_delivers_all_mails_to_a_fresh_mailbox(group: Group, mailbox: Path, tmp_path: Path) -> None:
    events = made_for(group, 40)
    publish(group, events)
    group.run()

    with running_mailbox(tmp_path / "fresh") as port:
        second = Group(group.settings, f"{group.name}-second", group.folder, {"MILLRACE_SMTP_URL": at_port(port)})
        second.begin(at=group.begins_at)
        second.run()

    assert delivered(group, tmp_path / "fresh") == delivered(group, mailbox) == once(events)


def test_notifier_waits_for_an_unavailable_mail_server_and_loses_nothing(
    group: Group, mailbox: Path, stack: Stack
) -> None:
    events = made_for(group, 120)
    publish(group, events[:60])

    with group.running() as service:
        wait_for_files(mailbox, 10)
        stack.kill("mailbox")
        publish(group, events[60:])
        # On a busy machine a second may pass without a line.
        noticed = re.compile(r"mail server unavailable for ([2-9]|\d\d+) s")
        wait_for("the notifier to notice", lambda: bool(noticed.search(group.output)))
        stack.start("mailbox")
        wait_for_files(mailbox, 120)
        service.send_signal(signal.SIGTERM)
        assert service.wait(DEADLINE_SECONDS) == 0

    assert_delivered(delivered(group, mailbox), events, most_duplicates=SENDERS)
    assert group.dead_letters() == []
    assert group.is_all_committed()


@pytest.mark.full
def test_mail_that_waits_too_long_for_the_mail_server_is_a_dead_letter(group: Group) -> None:
    events = made_for(group, 5)
    publish(group, events)

    with mail_server(RefusingMailServer({})) as port:
        pass  # the port is closed again
    with_variables(group, MILLRACE_SMTP_URL=at_port(port), MILLRACE_MAIL_OUTAGE_HOURS="0.0003").run()

    letters = group.dead_letters()
    assert {msgspec.json.decode(letter.payload or b"", type=Notification) for letter in letters} == set(events)
    assert all("unavailable for too long: [Errno 111] Connection refused" in letter.reason for letter in letters)
    assert group.is_all_committed()


def test_refused_address_is_a_dead_letter_and_other_mails_are_delivered(group: Group) -> None:
    events = made_for(group, 20, recipients=4)
    publish(group, events)
    server = RefusingMailServer({"customer-1@mail.example": ["550 5.1.1 no such user"] * 5})

    with mail_server(server) as port:
        with_variables(group, MILLRACE_SMTP_URL=at_port(port)).run()

    refused = [event for event in events if event.recipient == "customer-1"]
    assert Counter(server.got) == once([event for event in events if event not in refused])
    letters = group.dead_letters()
    assert [msgspec.json.decode(letter.payload or b"", type=Notification) for letter in letters] == refused
    assert {(letter.rejected_by, letter.reason) for letter in letters} == {
        ("notifier", "the mail server refused it: 550 5.1.1 no such user")
    }
    assert all(letter.source_key == b"customer-1" and letter.source_topic == "notifications" for letter in letters)
    assert group.is_all_committed()


@pytest.mark.full
def test_temporarily_refused_address_is_retried_and_keeps_its_order(group: Group) -> None:
    events = made_for(group, 20, recipients=4)
    publish(group, events)
    busy = "450 4.2.1 mailbox busy"
    server = RefusingMailServer({"customer-1@mail.example": [busy, busy], "customer-2@mail.example": [busy] * 3})

    with mail_server(server) as port:
        with_variables(group, MILLRACE_SMTP_URL=at_port(port), MILLRACE_MAIL_ATTEMPTS="3").run()

    given_up = next(event for event in events if event.recipient == "customer-2")
    assert Counter(server.got) == once([event for event in events if event is not given_up])
    for recipient in {event.recipient for event in events}:
        in_order = [event.event_id for event in events if event.recipient == recipient and event is not given_up]
        assert [each for each in server.got if each in in_order] == in_order
    others = {event.event_id for event in events if event.recipient in {"customer-0", "customer-3"}}
    assert set(server.got[: len(others)]) == others
    assert [letter.reason for letter in group.dead_letters()] == [f"given up after 3 attempts, at last: {busy}"]


def test_bad_record_is_a_dead_letter_and_stops_no_delivery(group: Group, mailbox: Path) -> None:
    good = made_for(group, 3)
    lost = notification(f"{group.name}-lost", recipient="customer-1", address="no address")
    bad = [b"{", b"", msgspec.json.encode(good[0]).replace(b'"email"', b'"pigeon"')]
    publish(group, [bad[0], good[0], bad[1], good[1], lost, bad[2], good[2]])

    group.run()

    assert delivered(group, mailbox) == once(good)
    letters = sorted(group.dead_letters(), key=lambda letter: letter.source_offset)
    assert [letter.payload for letter in letters] == [bad[0], bad[1], msgspec.json.encode(lost), bad[2]]
    reasons = "\n".join(letter.reason for letter in letters)
    assert re.fullmatch(".*truncated.*\n.*truncated.*\n'no address' is no e-mail address\n.*pigeon.*", reasons)
    assert [letter.event_id for letter in letters] == [
        f"notifications-{letter.source_partition}-{letter.source_offset}" for letter in letters
    ]
    assert group.is_all_committed()


def test_stopped_notifier_commits_what_was_delivered(group: Group, mailbox: Path) -> None:
    events = made_for(group, 10)
    publish(group, events)

    with group.running("--quiet") as service:
        wait_for_files(mailbox, 10)
        service.send_signal(signal.SIGTERM)

        assert service.wait(DEADLINE_SECONDS) == 0

    assert group.output == ""
    assert group.is_all_committed()


@pytest.mark.full
def test_notifier_waits_for_an_unavailable_broker_until_stopped(group: Group) -> None:
    with with_variables(group, MILLRACE_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9").running() as service:
        wait_for("a report", lambda: "the Kafka broker at 127.0.0.1:9 has been unavailable for" in group.output)
        service.send_signal(signal.SIGTERM)
        assert service.wait(DEADLINE_SECONDS) == 1

    assert "Error: no Kafka broker answers at 127.0.0.1:9" in group.output
    assert "Traceback" not in group.output


def test_malformed_mail_server_url_is_an_error_that_names_the_setting(group: Group) -> None:
    with with_variables(group, MILLRACE_SMTP_URL="127.0.0.1:25").running() as service:
        assert service.wait(DEADLINE_SECONDS) == 1

    assert "MILLRACE_SMTP_URL='127.0.0.1:25' can't be used" in group.output
    assert "Traceback" not in group.output
