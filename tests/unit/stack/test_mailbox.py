"""The mailbox keeps each message, whole, and nowhere else; over real SMTP."""

import asyncio
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner

from local.stack.mailbox.__main__ import main
from local.stack.mailbox.messages import newest, prepare
from local.stack.mailbox.server import MOST_BYTES, NotLocalError, serve
from local.stack.service import UnhealthyError
from local.stack.services.mailbox import check_health
from tests.services.free_ports import free_port
from tests.services.mail_servers import running_mailbox

TIMEOUT_SECONDS = 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where the stack that the settings name keeps its mail."""
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "mailbox" / "data"


@pytest.fixture
def client(folder: Path) -> Iterator[smtplib.SMTP]:
    with (
        running_mailbox(folder) as port,
        smtplib.SMTP("127.0.0.1", port, local_hostname="localhost", timeout=TIMEOUT_SECONDS) as connection,
    ):
        yield connection


def message(message_id: str = "<m1@shop.example>", to: str = "ada@mail.example", text: str = "Hello\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = "shop@shop.example", to, "A subject", message_id
    made.set_content(text)
    return made


def texts(folder: Path) -> list[str]:
    return [kept.read().get_content() for kept in newest(folder)]


def test_accepted_message_is_a_complete_file(client: smtplib.SMTP, folder: Path) -> None:
    client.send_message(message(text="Grüße\n"))

    (kept,) = newest(folder)
    assert (kept.read()["X-RcptTo"], kept.read()["Subject"]) == ("ada@mail.example", "A subject")
    assert texts(folder) == ["Grüße\n"]
    assert list((folder / "tmp").iterdir()) == []


def test_message_received_twice_is_kept_twice(client: smtplib.SMTP, folder: Path) -> None:
    client.send_message(message(text="first\n"))
    client.send_message(message(text="second\n"))

    assert texts(folder) == ["first\n", "second\n"]


def test_message_is_written_inside_the_folder_whatever_its_id(
    client: smtplib.SMTP, folder: Path, tmp_path: Path
) -> None:
    client.send_message(message("</../../../outside@shop.example>", to="../../outside@mail.example"))

    (kept,) = newest(folder)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [kept.file]
    assert kept.file.parent == folder / "new"


def test_incomplete_file_is_no_message(folder: Path) -> None:
    prepare(folder)
    (folder / "tmp" / "torn").write_text("Subject: hal")

    assert newest(folder) == []


def test_message_that_is_too_large_is_refused(client: smtplib.SMTP, folder: Path) -> None:
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        client.send_message(message(text="x" * 900 + "\n" + ("x" * 70 + "\n") * (MOST_BYTES // 71)))

    assert refused.value.smtp_code == 552
    assert newest(folder) == []


def test_message_that_can_not_be_written_is_refused_temporarily(client: smtplib.SMTP, folder: Path) -> None:
    (folder / "new").rmdir()
    (folder / "new").write_text("in the way")

    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.send_message(message())

    assert refused.value.smtp_code == 452
    assert list((folder / "tmp").iterdir()) == []


def test_answering_server_is_healthy_and_missing_one_is_named(folder: Path) -> None:
    with running_mailbox(folder) as port:
        check_health("127.0.0.1", port)

    with pytest.raises(UnhealthyError, match="doesn't accept connections on"):
        check_health("127.0.0.1", free_port())


def test_mail_is_listed_oldest_first_and_shown_without_control_codes(client: smtplib.SMTP, folder: Path) -> None:
    client.send_message(message("<m1@shop.example>", text="first\n"))
    client.send_message(message("<m2@shop.example>", to="bob@mail.example", text="\x1b[2Jsecond\n"))
    name = newest(folder)[-1].name

    listed = CliRunner().invoke(main, ["list"]).output.splitlines()
    shown = CliRunner().invoke(main, ["show", name]).output

    assert listed[0].split() == ["name", "arrived", "(UTC)", "to", "subject"]
    assert [line.split()[3] for line in listed[1:]] == ["ada@mail.example", "bob@mail.example"]
    assert "To: bob@mail.example\n" in shown
    assert shown.endswith(r"\x1b[2Jsecond" + "\n")


def test_empty_mailbox_and_unknown_message_are_reported(folder: Path) -> None:
    prepare(folder)

    assert "no mail has arrived" in CliRunner().invoke(main, ["list"]).output
    assert "there is no message abc" in CliRunner().invoke(main, ["show", "abc"]).output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_address_that_other_machines_can_reach_is_refused(folder: Path, host: str) -> None:
    serving = serve(folder, host, free_port())

    with pytest.raises(NotLocalError, match="on this machine alone"):
        asyncio.run(asyncio.wait_for(serving, TIMEOUT_SECONDS))
