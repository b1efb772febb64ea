"""Shows samples of the results: one alert from the search index, one e-mail."""

from collections import Counter
from collections.abc import Iterator, Sequence
from email.message import EmailMessage

from connectors.elasticsearch.client import client, explained
from connectors.settings import Settings
from events import FraudAlert
from local.demo.output import report
from local.demo.results import mailbox
from local.stack.setup import Setup
from ops.formats import table
from ops.search.find import Asked, find

SHOWN_DOCUMENTS = 5
SHOWN_HEADERS = ("From", "To", "Date", "Subject")
SHOWN_LINES = 12


def show(setup: Setup, alerts: Sequence[FraudAlert]) -> None:
    """Show what the search index has of the card with the most alerts, and one e-mail.

    Raises:
        ElasticsearchError: the index can't be queried.
        NoIndexError: there is none.
    """
    for line in (*_found(setup.settings, alerts), *_mailed(mailbox.mails(setup))):
        report(line)


def _found(settings: Settings, alerts: Sequence[FraudAlert]) -> Iterator[str]:
    for card_id, _ in Counter(alert.card_id for alert in alerts).most_common(1):
        with explained(settings), client(settings) as elasticsearch:
            found = find(elasticsearch, Asked(card=card_id), SHOWN_DOCUMENTS)
        yield f"\n$ python -m ops search find --card {card_id}"
        for each in found:
            rows = [[cell(document) for cell in each.kind.columns.values()] for document in each.documents]
            yield table(list(each.kind.columns), rows)


def _mailed(mails: list[EmailMessage]) -> Iterator[str]:
    # A warning in English is preferred.
    rank = {each: (each["Content-Language"] == "en", "card" in str(each["Subject"])) for each in mails}
    mail = max(mails, key=rank.__getitem__, default=None)
    body = mail.get_body(("plain",)) if mail else None
    if mail and body:
        yield f"\none of {len(mails):,} mails, as `python -m local.stack.mailbox show` has it:"
        yield from (f"  {header}: {mail[header]}" for header in SHOWN_HEADERS)
        yield from (f"  {line}".rstrip() for line in ["", *str(body.get_content()).splitlines()[:SHOWN_LINES]])
