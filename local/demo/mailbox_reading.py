"""What mail has arrived in the stack's mailbox?"""

from email.message import EmailMessage
from urllib.parse import unquote

from local.services.mailbox.letters import Letters
from local.services.notifier.message import HEADER
from local.stack import mailbox
from local.stack.setup import Setup


def mails(setup: Setup) -> list[EmailMessage]:
    """All of it, what came first first."""
    return [letter.read() for letter in _letters(setup).newest()]


def count(setup: Setup) -> int:
    """How many."""
    return len(_letters(setup).newest())


def notification_ids(letters: list[EmailMessage]) -> list[str]:
    """Of the notifications that these were made of, one a mail."""
    return [unquote(str(letter[HEADER])) for letter in letters]


def _letters(setup: Setup) -> Letters:
    return Letters(setup.place(mailbox.NAME).data)
