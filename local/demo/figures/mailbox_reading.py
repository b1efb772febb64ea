"""Mail in the stack's mailbox, as the demo's checks read it."""

from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

from local.stack.mailbox.messages import newest
from local.stack.mailbox.server import STARTED
from local.stack.services import mailbox
from local.stack.setup import Setup
from notifier.message import HEADER


def mails(setup: Setup) -> list[EmailMessage]:
    """All of it, what came first first."""
    return [kept.read() for kept in newest(_folder(setup))]


def count(setup: Setup) -> int:
    """How many."""
    return len(newest(_folder(setup)))


def restarts(setup: Setup) -> int:
    """Return how often the mail server was started again; each time, answers to messages may have been lost."""
    return setup.place(mailbox.NAME).log.read_text("utf-8").count(STARTED) - 1


def notification_ids(messages: list[EmailMessage]) -> list[str]:
    """Return the ids of the notifications that these were made of, one a mail."""
    return [unquote(str(message[HEADER])) for message in messages]


def _folder(setup: Setup) -> Path:
    return setup.place(mailbox.NAME).data
