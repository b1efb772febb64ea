"""Cities of the simulated world, with their currencies, time zones and distances."""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

from events.currencies import decimals

EARTH_RADIUS_KM = 6371.0088
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BASE_CURRENCY = "EUR"

HOURLY_ACTIVITY = (
    *(0.10, 0.06, 0.04, 0.04, 0.05, 0.12),
    *(0.30, 0.55, 0.75, 0.70, 0.72, 0.85),
    *(1.00, 0.90, 0.75, 0.75, 0.85, 0.98),
    *(1.00, 0.92, 0.75, 0.60, 0.42, 0.22),
)
"""Likelihood of a payment in each hour of the local day, relative to the busiest hour."""


@dataclass(frozen=True, slots=True)
class City:
    """A city where customers live and merchants trade."""

    name: str
    country: str
    currency: str
    latitude: float
    longitude: float
    utc_offset_hours: int
    """Standard time all year: the simulation has no daylight saving time."""
    weight: int
    """Share of the customers, relative to the other cities."""


CITIES = (
    City("Berlin", "DE", "EUR", 52.5200, 13.4050, 1, 12),
    City("Hamburg", "DE", "EUR", 53.5511, 9.9937, 1, 6),
    City("Munich", "DE", "EUR", 48.1374, 11.5755, 1, 7),
    City("Paris", "FR", "EUR", 48.8566, 2.3522, 1, 10),
    City("Lyon", "FR", "EUR", 45.7640, 4.8357, 1, 4),
    City("Amsterdam", "NL", "EUR", 52.3676, 4.9041, 1, 5),
    City("Madrid", "ES", "EUR", 40.4168, -3.7038, 1, 7),
    City("Barcelona", "ES", "EUR", 41.3874, 2.1686, 1, 5),
    City("Milan", "IT", "EUR", 45.4642, 9.1900, 1, 6),
    City("Rome", "IT", "EUR", 41.9028, 12.4964, 1, 5),
    City("Vienna", "AT", "EUR", 48.2082, 16.3738, 1, 4),
    City("Lisbon", "PT", "EUR", 38.7223, -9.1393, 0, 3),
    City("London", "GB", "GBP", 51.5072, -0.1276, 0, 9),
    City("Manchester", "GB", "GBP", 53.4808, -2.2426, 0, 3),
    City("Zurich", "CH", "CHF", 47.3769, 8.5417, 1, 3),
    City("Stockholm", "SE", "SEK", 59.3293, 18.0686, 1, 3),
    City("Warsaw", "PL", "PLN", 52.2297, 21.0122, 1, 5),
    City("New York", "US", "USD", 40.7128, -74.0060, -5, 5),
    City("Chicago", "US", "USD", 41.8781, -87.6298, -6, 3),
    City("San Francisco", "US", "USD", 37.7749, -122.4194, -8, 3),
    City("São Paulo", "BR", "BRL", -23.5558, -46.6396, -3, 3),
    City("Johannesburg", "ZA", "ZAR", -26.2041, 28.0473, 2, 2),
    City("Dubai", "AE", "AED", 25.2048, 55.2708, 4, 2),
    City("Singapore", "SG", "SGD", 1.3521, 103.8198, 8, 2),
    City("Tokyo", "JP", "JPY", 35.6762, 139.6503, 9, 3),
    City("Sydney", "AU", "AUD", -33.8688, 151.2093, 10, 2),
)
_EUROS = {
    "EUR": 1.0,
    "GBP": 1.16,
    "CHF": 1.06,
    "SEK": 0.09,
    "PLN": 0.23,
    "USD": 0.92,
    "BRL": 0.16,
    "ZAR": 0.05,
    "AED": 0.25,
    "SGD": 0.68,
    "JPY": 0.006,
    "AUD": 0.60,
}
"""Value of one unit of a currency in euros; fixed, so that a run can be repeated."""


def in_currency(euro_cents: float, currency: str) -> int:
    """Convert euro cents into minor units of `currency`, at least one."""
    return max(1, round(euro_cents / 100 / _EUROS[currency] * 10.0 ** decimals(currency)))


def in_base(amount_minor: int, currency: str) -> int:
    """Convert minor units of `currency` into minor units of the base currency, at least one."""
    return max(1, round(amount_minor / 10.0 ** decimals(currency) * _EUROS[currency] * 100))


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the great-circle distance by the haversine formula, on a sphere of the earth's mean radius."""
    phi, other_phi = radians(latitude), radians(other_latitude)
    half_height = sin((other_phi - phi) / 2)
    half_width = sin(radians(other_longitude - longitude) / 2)
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half_height**2 + cos(phi) * cos(other_phi) * half_width**2))


def activity(utc_offset_hours: int, at_ms: int) -> float:
    """Return the likelihood of a payment in that time zone at that moment, from 0 to 1; continuous over the hours."""
    hours = at_ms / HOUR_MS + utc_offset_hours
    hour = int(hours // 1) % 24
    into_hour = hours % 1
    return HOURLY_ACTIVITY[hour] * (1 - into_hour) + HOURLY_ACTIVITY[(hour + 1) % 24] * into_hour


def world_activity(at_ms: int) -> float:
    """Return the likelihood of a payment in the whole world: the cities' activity, weighted by their customers."""
    return sum(city.weight * activity(city.utc_offset_hours, at_ms) for city in CITIES) / _WORLD_WEIGHT


_WORLD_WEIGHT = sum(city.weight for city in CITIES)
