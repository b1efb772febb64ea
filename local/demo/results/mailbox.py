"""Reads e-mails in the stack's mailbox for the demo's checks."""

from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

from local.stack.mailbox.messages import newest
from local.stack.mailbox.server import STARTED
from local.stack.services import mailbox
from local.stack.setup import Setup
from notifier.message import HEADER


def mails(setup: Setup) -> list[EmailMessage]:
    """Return all e-mails, the first one first."""
    return [kept.read() for kept in newest(_folder(setup))]


def count(setup: Setup) -> int:
    """Return the number of e-mails."""
    return len(newest(_folder(setup)))


def restarts(setup: Setup) -> int:
    """Return the number of restarts of the mail server; at each, answers to messages may have been lost."""
    return setup.place(mailbox.NAME).log.read_text("utf-8").count(STARTED) - 1


def notification_ids(messages: list[EmailMessage]) -> list[str]:
    """Return the ids of the notifications that these e-mails were made from, one per e-mail."""
    return [unquote(str(message[HEADER])) for message in messages]


def _folder(setup: Setup) -> Path:
    return setup.place(mailbox.NAME).data
