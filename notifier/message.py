"""Builds the e-mail of a notification, always with the same message id."""

import hashlib
import re
from datetime import UTC, datetime
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from urllib.parse import quote

from events import Notification
from notifier.wording import one_line, worded

ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
SENDER_NAME = "Your shop"
HEADER = "X-Notification-Id"


class _OneLine(UnstructuredHeader):
    """A header that is neither folded nor encoded in pieces, whatever its length, so that it can be searched for."""

    name: str

    def fold(self, *, policy: Policy) -> str:
        """Return the header as it goes into the message."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type(HEADER, _OneLine)  # type: ignore[arg-type]
_POLICY = SMTP.clone(header_factory=_HEADERS)


class UndeliverableError(ValueError):
    """No e-mail can be made of a notification; the text gives the reason."""


def email_of(notification: Notification, sender: str) -> EmailMessage:
    """Build the e-mail. Its ids depend on the notification's id only, so that a mail server can recognise a duplicate.

    Raises:
        UndeliverableError: the address is invalid, or a value can't be shown in an e-mail.
    """
    if not ADDRESS.fullmatch(notification.address):
        raise UndeliverableError(f"{notification.address!r} is no e-mail address")
    try:
        return _email(notification, sender)
    except ValueError as error:
        raise UndeliverableError(f"no e-mail can be made of it: {error}") from error


def message_id(notification_id: str, sender: str) -> str:
    """Return a Message-ID: a hash, since a notification id may have characters that a Message-ID may not have."""
    return f"<{hashlib.sha256(notification_id.encode()).hexdigest()[:40]}@{sender.rpartition('@')[2]}>"


def _email(notification: Notification, sender: str) -> EmailMessage:
    wording = worded(notification)
    made = EmailMessage(policy=_POLICY)
    made["From"] = Address(SENDER_NAME, addr_spec=sender)
    local_part, _, domain = notification.address.rpartition("@")
    made["To"] = Address(one_line(notification.recipient_name), local_part, domain)
    made["Subject"] = wording.subject
    made["Date"] = format_datetime(datetime.fromtimestamp(notification.event_time // 1000, UTC))
    made["Message-ID"] = message_id(notification.event_id, sender)
    made[HEADER] = quote(notification.event_id, safe="/:@+,=")
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(wording.text, cte="quoted-printable")
    made.add_alternative(wording.html, subtype="html", cte="quoted-printable")
    made["Content-Language"] = wording.language
    made.as_bytes()  # a message that can't be serialised fails here, not in the middle of sending
    return made
