"""Renders a notification as a subject, a text and HTML, from the templates of its language."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from events import Notification, Occasion
from notifier.formats import FALLBACK, LANGUAGES, masked, moment, money, without_cards

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Wording:
    """A rendered message."""

    language: str
    """ISO 639-1 code of the language it is written in."""
    subject: str
    """Subject, on one line."""
    text: str
    html: str


@dataclass(frozen=True)
class OccasionText:
    """An occasion as the templates see it: every value is text for display."""

    kind: str
    subject: str
    """The order's id, or the masked id of the card."""
    when: str
    amount: str
    details: tuple[str, ...]


def worded(notification: Notification) -> Wording:
    """Render the notification in its recipient's language, or in English if that language has no templates.

    Raises:
        ValueError: a value can't be displayed.
    """
    code = notification.language if notification.language in LANGUAGES else FALLBACK
    occasions = [_occasion_text(occasion, code, notification.time_zone) for occasion in notification.payload]
    values = {"language": code, "name": one_line(notification.recipient_name), "occasions": occasions}
    name = f"{code}/{notification.template}.jinja"
    subject = one_line(_block(_TEXT, name, "subject", values | {"layout": "message.txt"}))
    text = _TEXT.get_template(name).render(values | {"layout": "message.txt"})
    html = _HTML.get_template(name).render(values | {"layout": "message.html", "subject": subject})
    return Wording(code, subject, text, html)


def one_line(text: str) -> str:
    """Replace unprintable characters and runs of spaces, so that the text can't end a header and begin another."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _occasion_text(occasion: Occasion, language: str, time_zone: str) -> OccasionText:
    is_about_a_card = occasion.kind.startswith("fraud")
    details = occasion.details
    if is_about_a_card:
        details = tuple(without_cards(each, occasion.subject_id) for each in details)
    return OccasionText(
        kind=occasion.kind,
        subject=masked(occasion.subject_id) if is_about_a_card else one_line(occasion.subject_id),
        when=moment(occasion.happened_at, time_zone, language),
        amount=money(occasion.amount_minor, occasion.currency, language),
        details=tuple(map(one_line, details)),
    )


def _environment(*, is_html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _block(environment: Environment, template: str, block: str, values: dict[str, Any]) -> str:
    loaded = environment.get_template(template)
    return "".join(loaded.blocks[block](loaded.new_context(values)))


_TEXT, _HTML = _environment(is_html=False), _environment(is_html=True)
"""Environments for text and HTML over the same templates; only that of HTML escapes values."""
