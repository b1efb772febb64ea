"""What did all of it bring to whoever uses it? One alert that is found, one mail that has arrived."""

from collections.abc import Iterator
from email.message import EmailMessage

import msgspec

from connectors.search_documents import SEARCH_INDICES
from connectors.settings import Settings
from events import FraudAlert
from local.demo import index_reading, mailbox_reading
from local.demo.saying import say
from local.demo.view import alert_line
from local.stack.setup import Setup

SHOWN_HEADERS = ("From", "To", "Date", "Subject")
SHOWN_LINES = 12


def show(setup: Setup) -> None:
    """Say what is found, and what was mailed.

    Raises:
        ElasticsearchError: the index can't be asked.
    """
    for line in (*_found(setup.settings), *_mailed(mailbox_reading.mails(setup))):
        say(line)


def _found(settings: Settings) -> Iterator[str]:
    alerts = next(each for each in SEARCH_INDICES if each.topic.event is FraudAlert)
    found = [msgspec.convert(each, FraudAlert) for each in index_reading.documents(settings, alerts.alias).values()]
    if found:
        longest = max(found, key=lambda alert: (len(alert.rules), alert.event_id))
        yield f"\nin the search index, of {longest.card_id}:"
        of_the_card = sorted(
            (each for each in found if each.card_id == longest.card_id), key=lambda each: each.event_id
        )
        yield from (f"  {alert_line(alert)}" for alert in of_the_card)


def _mailed(letters: list[EmailMessage]) -> Iterator[str]:
    # A warning in English rather than another.
    rank = {each: (each["Content-Language"] == "en", "card" in str(each["Subject"])) for each in letters}
    letter = max(letters, key=rank.__getitem__, default=None)
    body = letter.get_body(("plain",)) if letter else None
    if letter and body:
        yield f"\none of {len(letters):,} mails:"
        yield from (f"  {header}: {letter[header]}" for header in SHOWN_HEADERS)
        yield from (f"  {line}".rstrip() for line in ["", *str(body.get_content()).splitlines()[:SHOWN_LINES]])
