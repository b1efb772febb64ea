"""Formats money, times and card numbers for a message's language and time zone."""

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal

from events.currencies import decimals

SHOWN_CHARACTERS = 4
LONG_ENOUGH = 8
"""Minimum length of a card id that is shown in part: four characters of a shorter one would be most of it."""
_CARD_NUMBER = re.compile(r"(?<!\w)(?:\d[ -]?){11,18}\d(?!\w)")

LANGUAGES = {
    "en": "d MMMM y 'at' HH:mm",
    "de": "d. MMMM y 'um' HH:mm 'Uhr'",
    "fr": "d MMMM y 'à' HH:mm",
}
"""Patterns of a date with its time, by the language's ISO 639-1 code. Each language has a folder of templates."""
FALLBACK = "en"


def money(amount_minor: int, currency: str, language: str) -> str:
    """Format an amount in minor units, e.g. `1,234.50 EUR`."""
    places = decimals(currency)
    amount = Decimal(amount_minor).scaleb(-places)
    return f"{format_decimal(amount, '#,##0.' + '0' * places, language)} {currency}"


def moment(at_ms: int, time_zone: str, language: str) -> str:
    """Format UTC milliseconds as local time with the name of the zone; in UTC if the time zone is unknown.

    Raises:
        ValueError: the time is after the year 9999.
    """
    try:
        at = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_zone(time_zone))
    except (OverflowError, OSError) as error:
        raise ValueError(f"{at_ms} is no time that can be shown") from error
    # Not babel's name of the zone: it takes Dublin's winter for summer.
    name = at.tzname() or "UTC"
    zone = f"UTC{name}" if name[0] in "+-" else name
    return f"{format_datetime(at, LANGUAGES[language], locale=language)} ({zone})"


def masked(card_id: str) -> str:
    """Mask a card id except for its last characters, by which its owner recognises the card."""
    return "••••" + (f" {card_id[-SHOWN_CHARACTERS:]}" if len(card_id) >= LONG_ENOUGH else "")


def without_cards(text: str, card_id: str) -> str:
    """Mask the card id, and everything that looks like a card number, in a text."""
    return _CARD_NUMBER.sub(lambda found: masked(found[0]), text).replace(card_id, masked(card_id))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC
