"""Formats money, times and card numbers for a message's language and time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from events.currencies import decimals

SHOWN_CHARACTERS = 4
LONG_ENOUGH = 8
"""Minimum length of a card id that is shown in part: four characters of a shorter one would be most of it."""
_CARD_NUMBER = re.compile(r"(?<!\w)(?:\d[ -]?){11,18}\d(?!\w)")


@dataclass(frozen=True)
class Language:
    """Conventions of a language, apart from the words of its templates."""

    decimal_mark: str
    group_mark: str
    months: tuple[str, ...]
    moment: str
    """Format of a date with its time."""
    first_of_month: str = "1"


LANGUAGES = {
    "en": Language(
        ".",
        ",",
        (
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ),
        "{day} {month} {year} at {time} ({zone})",
    ),
    "de": Language(
        ",",
        ".",
        (
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ),
        "{day}. {month} {year} um {time} Uhr ({zone})",
    ),
    "fr": Language(
        ",",
        "\u202f",
        (
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ),
        "{day} {month} {year} à {time} ({zone})",
        first_of_month="1er",
    ),
}
"""Languages by ISO 639-1 code. Each has a folder of templates."""
FALLBACK = "en"


def money(amount_minor: int, currency: str, language: Language) -> str:
    """Format an amount in minor units, e.g. `1,234.50 EUR`."""
    places = decimals(currency)
    whole, fraction = divmod(abs(amount_minor), 10**places)
    sign = "-" if amount_minor < 0 else ""
    grouped = f"{whole:,}".replace(",", language.group_mark)
    after = f"{language.decimal_mark}{fraction:0{places}d}" if places else ""
    return f"{sign}{grouped}{after} {currency}"


def moment(at_ms: int, time_zone: str, language: Language) -> str:
    """Format UTC milliseconds as local time with the name of the zone; in UTC if the time zone is unknown.

    Raises:
        ValueError: the time is after the year 9999.
    """
    try:
        at = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_zone(time_zone))
    except (OverflowError, OSError) as error:
        raise ValueError(f"{at_ms} is no time that can be shown") from error
    name = at.tzname() or "UTC"
    return language.moment.format(
        day=language.first_of_month if at.day == 1 else at.day,
        month=language.months[at.month - 1],
        year=at.year,
        time=f"{at:%H:%M}",
        zone=f"UTC{name}" if name[0] in "+-" else name,
    )


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
