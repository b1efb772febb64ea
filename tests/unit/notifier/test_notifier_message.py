"""Mails have our headers and no others, and always the same ids."""

import email.policy
from email.message import EmailMessage
from email.parser import BytesParser
from urllib.parse import unquote

import pytest

from events import Notification
from notifier.message import HEADER, UndeliverableError, email_of
from tests.builders.notifications import notification, occasion

SENDER = "shop@shop.example"
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", HEADER, "Auto-Submitted", "MIME-Version"}
HEADERS |= {"Content-Type", "Content-Language"}


def arrived(sent: Notification) -> EmailMessage:
    """Return the message as its recipient's program reads it."""
    parsed = BytesParser(policy=email.policy.default).parsebytes(email_of(sent, SENDER).as_bytes())
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_mail_is_from_the_shop_to_the_customer_as_text_and_html() -> None:
    message = arrived(
        notification(recipient_name="Zoë Müller", address="zoe@mail.example", event_time=1_764_091_212_000)
    )

    assert message["From"] == "Your shop <shop@shop.example>"
    assert message["To"] == "Zoë Müller <zoe@mail.example>"
    assert message["Subject"] == "Your order order-1"
    assert message["Date"] == "Tue, 25 Nov 2025 17:20:12 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "Dear Zoë Müller," in message.get_body(("plain",)).get_content()


def test_mail_ids_follow_from_those_of_the_notification() -> None:
    first, again, other = (arrived(notification(event_id)) for event_id in ("n1", "n1", "n2"))

    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["Message-ID"] == "<676b8bb84ce7267dd520deca4811c8f10a53e636@shop.example>"
    assert first[HEADER] == "n1"


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\0"])
def test_no_name_or_text_can_add_a_header(ending: str) -> None:
    evil = f"Ada{ending}Bcc: all@mail.example{ending}{ending}<html>"
    harmful = occasion(subject_id=evil, details=(evil,))

    message = arrived(notification("n1", harmful, recipient_name=evil))

    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert message["To"].addresses[0].addr_spec == "customer-1@mail.example"
    assert len(message["To"].addresses) == 1
    assert "Bcc" in message["Subject"]


@pytest.mark.parametrize("event_id", ["n1\r\nBcc: x@mail.example", "Ü 1", "x" * 128, "a/b:c@d", "<n1>", "%41"])
def test_any_id_can_be_found_again_in_the_headers(event_id: str) -> None:
    line = next(line for line in email_of(notification(event_id), SENDER).as_bytes().split(b"\r\n") if b"-Id: " in line)

    message = arrived(notification(event_id))

    assert line == f"{HEADER}: {message[HEADER]}".encode()
    assert unquote(message[HEADER]) == event_id
    assert set(message.keys()) == HEADERS


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "ada",
            "@mail.example",
            "ada@",
            "a@b@mail.example",
            "ada @mail.example",
            "ada@mail.example, bob@mail.example",
        ),
        *("ada@mail.example\r\nBcc: bob@mail.example", "ada@mail.example\n", "<ada@mail.example>", "ada@-mail.example"),
        *("ada@mail.example>", "\x00ada@mail.example", f"{'a' * 65}@mail.example"),
    ],
)
def test_invalid_address_is_an_error(address: str) -> None:
    with pytest.raises(UndeliverableError, match="is no e-mail address"):
        email_of(notification(address=address), SENDER)


def test_time_that_no_calendar_has_is_an_error() -> None:
    with pytest.raises(UndeliverableError, match="no e-mail can be made of it"):
        email_of(notification("n1", occasion(happened_at=10**17)), SENDER)


@pytest.mark.parametrize(
    "name", ["Müller, Zoë", 'Ada "the first" Lovelace', "a@b.example", "x" * 400, "Ada (nice); <x>"]
)
def test_recipient_has_any_name_and_no_second_address(name: str) -> None:
    message = arrived(notification(recipient_name=name))

    (to,) = message["To"].addresses
    assert (to.display_name, to.addr_spec) == (name, "customer-1@mail.example")
