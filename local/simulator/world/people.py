"""Generates customers' names, contacts and languages: the same in every run."""

from dataclasses import dataclass
from random import Random

TIERS = {"standard": 75, "silver": 18, "gold": 7}
"""Tiers with their shares, in per cent."""
NO_PHONE_SHARE = 0.05
ENGLISH_SHARE = 0.08
"""Share of customers who are addressed in English, whatever their country's language."""
PHONE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Habits:
    """Common properties of a country's people."""

    calling_code: int
    language: str
    """ISO 639-1 code of the language."""


HABITS = {
    "AE": Habits(971, "ar"),
    "AT": Habits(43, "de"),
    "AU": Habits(61, "en"),
    "BR": Habits(55, "pt"),
    "CH": Habits(41, "de"),
    "DE": Habits(49, "de"),
    "ES": Habits(34, "es"),
    "FR": Habits(33, "fr"),
    "GB": Habits(44, "en"),
    "IT": Habits(39, "it"),
    "JP": Habits(81, "ja"),
    "NL": Habits(31, "nl"),
    "PL": Habits(48, "pl"),
    "PT": Habits(351, "pt"),
    "SE": Habits(46, "sv"),
    "SG": Habits(65, "en"),
    "US": Habits(1, "en"),
    "ZA": Habits(27, "en"),
}
"""Habits by country."""
LANGUAGES = tuple(sorted({habits.language for habits in HABITS.values()}))
TIME_ZONES = {
    "Amsterdam": "Europe/Amsterdam",
    "Barcelona": "Europe/Madrid",
    "Berlin": "Europe/Berlin",
    "Chicago": "America/Chicago",
    "Dubai": "Asia/Dubai",
    "Hamburg": "Europe/Berlin",
    "Johannesburg": "Africa/Johannesburg",
    "Lisbon": "Europe/Lisbon",
    "London": "Europe/London",
    "Lyon": "Europe/Paris",
    "Madrid": "Europe/Madrid",
    "Manchester": "Europe/London",
    "Milan": "Europe/Rome",
    "Munich": "Europe/Berlin",
    "New York": "America/New_York",
    "Paris": "Europe/Paris",
    "Rome": "Europe/Rome",
    "San Francisco": "America/Los_Angeles",
    "Singapore": "Asia/Singapore",
    "Stockholm": "Europe/Stockholm",
    "Sydney": "Australia/Sydney",
    "São Paulo": "America/Sao_Paulo",
    "Tokyo": "Asia/Tokyo",
    "Vienna": "Europe/Vienna",
    "Warsaw": "Europe/Warsaw",
    "Zurich": "Europe/Zurich",
}
"""IANA time zones by city."""

GIVEN_NAMES = (
    *("Ada", "Aiko", "Anna", "Antonia", "Beatriz", "Carla", "Chloé", "Elin", "Emma", "Fatima", "Greta", "Hanna"),
    *("Ines", "Julia", "Kasia", "Lerato", "Lucía", "Maria", "Mei", "Nora", "Olivia", "Sofia", "Yara", "Zoë"),
    *("Ali", "Bruno", "Carlos", "David", "Emil", "Felix", "Giovanni", "Henrik", "Ivan", "Jan", "Kenji", "Lars"),
    *("Luca", "Marek", "Noah", "Omar", "Paul", "Rafael", "Sam", "Thabo", "Tomás", "Victor", "Wei", "Yusuf"),
)
FAMILY_NAMES = (
    *("Almeida", "Andersson", "Bauer", "Bianchi", "Botha", "Chen", "Costa", "de Vries", "Dubois", "Evans", "Ferrari"),
    *("Fischer", "García", "Haddad", "Hansen", "Ito", "Janssen", "Johnson", "Khan", "Kowalski", "Lefèvre", "Lim"),
    *("López", "Martin", "Meyer", "Moreau", "Müller", "Nguyen", "Nkosi", "Nowak", "O'Brien", "Pereira", "Rossi"),
    *("Sánchez", "Santos", "Sato", "Schmidt", "Silva", "Smith", "Tanaka", "Taylor", "Weber", "Wiśniewski", "Yilmaz"),
)
MAIL_HOSTS = ("mail.example", "post.example", "letters.example", "inbox.example")


def tier(random: Random) -> str:
    """Choose a tier."""
    return random.choices(list(TIERS), list(TIERS.values()))[0]


def email_address(name: str, customer: int, random: Random) -> str:
    """Return a unique e-mail address of that customer."""
    ascii_name = name.split(maxsplit=1)[0].encode("ascii", "ignore").decode().lower()
    return f"{ascii_name}.{customer}@{random.choice(MAIL_HOSTS)}"


def phone_number(country: str, random: Random) -> str | None:
    """Return a phone number of that country, or None."""
    if random.random() < NO_PHONE_SHARE:
        return None
    return f"+{HABITS[country].calling_code}{random.randrange(10**PHONE_DIGITS):0{PHONE_DIGITS}d}"


def language(country: str, random: Random) -> str:
    """Choose the language in which a customer of that country is addressed."""
    return "en" if random.random() < ENGLISH_SHARE else HABITS[country].language
