"""Meaning of a mail server's answers, with real servers that answer as the test wants."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.mail_server import MailServer
from tests.services.free_ports import free_port
from tests.services.mail_servers import mail_server

SENDER = "shop@shop.example"
TIMEOUT_SECONDS = 2.0


@dataclass
class Moody:
    """Gives the declared answers to some commands, and `250 ok` to the others."""

    answers: Mapping[str, str] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 ok")

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 ok")

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers.get("DATA") == "drop":
            server.transport.close()
        answer = self.answers.get("DATA", "250 ok")
        if answer.startswith("250"):
            self.got += envelope.rcpt_tos
        return answer


def message(text: str = "Hello\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = SENDER, "ada@mail.example", "A subject"
    made.set_content(text)
    return made


@contextmanager
def connected(port: int) -> Iterator[MailServer]:
    server = MailServer("127.0.0.1", port, SENDER, TIMEOUT_SECONDS)
    try:
        yield server
    finally:
        server.quit()


@contextmanager
def mute_server() -> Iterator[int]:
    """Accept connections and answer nothing; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def server_that_greets_with(greeting: bytes) -> Iterator[int]:
    """Send one line to each client that connects, and hang up; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting + b"\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(TIMEOUT_SECONDS)


def test_accepted_message_is_taken_and_the_connection_is_kept() -> None:
    moody = Moody()
    with mail_server(moody) as port, connected(port) as server:
        answers = [server.offer(message(), f"{name}@mail.example").verdict for name in ("ada", "bob")]

    assert answers == ["taken", "taken"]
    assert moody.got == ["ada@mail.example", "bob@mail.example"]


@pytest.mark.parametrize(
    ("command", "response", "verdict"),
    [
        ("RCPT", "550 5.1.1 no such user", "never"),
        ("RCPT", "450 4.2.1 mailbox busy", "not now"),
        ("RCPT", "421 4.7.0 try later", "not now"),
        ("DATA", "554 5.6.0 we don't like it", "never"),
        ("DATA", "451 4.3.0 try later", "not now"),
        ("DATA", "drop", "not now"),
        ("MAIL", "552 5.3.4 too large", "never"),
        ("MAIL", "530 5.7.0 log in first", "unavailable"),
        ("MAIL", "451 4.3.2 not accepting mail", "unavailable"),
        ("MAIL", "421 4.3.2 shutting down", "unavailable"),
    ],
)
def test_refusal_concerns_the_message_once_the_server_knows_it_else_us(
    command: str, response: str, verdict: str
) -> None:
    with mail_server(Moody({command: response})) as port, connected(port) as server:
        answer = server.offer(message(), "ada@mail.example")

    assert answer.verdict == verdict
    assert response == "drop" or response in answer.words


@pytest.mark.parametrize("response", ["550 no such user", "421 try later", "drop"])
def test_message_after_a_refused_one_is_taken(response: str) -> None:
    moody = Moody({"DATA" if response == "drop" else "RCPT": response})
    with mail_server(moody) as port, connected(port) as server:
        server.offer(message(), "ada@mail.example")
        moody.answers = {}

        assert server.offer(message(), "bob@mail.example").verdict == "taken"

    assert moody.got == ["bob@mail.example"]


def test_message_too_large_for_the_server_is_never_taken() -> None:
    with mail_server(Moody(), data_size_limit=1000) as port, connected(port) as server:
        assert server.offer(message("too long\n" * 200), "ada@mail.example").verdict == "never"


def test_connection_that_the_server_has_closed_is_made_again() -> None:
    port = free_port()
    with connected(port) as server:
        with mail_server(Moody(), port):
            first = server.offer(message(), "ada@mail.example").verdict
        between = server.offer(message(), "ada@mail.example").verdict
        with mail_server(Moody(), port):
            last = server.offer(message(), "ada@mail.example").verdict

    assert (first, between, last) == ("taken", "unavailable", "taken")


def test_server_without_an_answer_is_unavailable_after_the_time_limit() -> None:
    with mute_server() as port, connected(port) as server:
        answer = server.offer(message(), "ada@mail.example")

    assert answer.verdict == "unavailable"
    assert "timed out" in answer.words


@pytest.mark.parametrize("greeting", ["554 no service", "421 too many connections"])
def test_server_that_refuses_connections_is_unavailable(greeting: str) -> None:
    with server_that_greets_with(greeting.encode()) as port, connected(port) as server:
        answer = server.offer(message(), "ada@mail.example")

    assert (answer.verdict, answer.words) == ("unavailable", greeting)
