"""Generators of typical fraud incidents. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from local.simulator.payments.drafts import Draft, Place, place_of, terminal
from local.simulator.world.places import CITIES, City, distance_km
from local.simulator.world.population import Card, Merchant, Population

SECOND_MS = 1_000
MINUTE_MS = 60_000

FAR_AWAY_KM = 2_500
LONGEST_FLIGHT_MS = 60 * MINUTE_MS
"""Maximum time between the two places of an impossible journey: at least 2,500 km/h."""
SUDDEN_HIGH_FACTOR = 12
SUDDEN_HIGH_LEAST_EURO_CENTS = 60_000


@dataclass(frozen=True, slots=True)
class Victim:
    """A card chosen for fraud, and the place of its owner."""

    card: Card
    place: Place
    countries: frozenset[str]
    """Countries where the card was used so far, and its home country."""


Generator = Callable[[Random, Population, Victim, int, int], list[Draft]]
"""Takes random, population, victim, start and room in milliseconds; returns the payments of one incident in order of
event time, the first at the start, the last within the room."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of fraud."""

    name: str
    generate: Generator
    shortest_ms: int
    """Minimum room that it needs."""
    needs_history: bool
    """Whether it can only be recognised by the card's history."""


def card_testing(random: Random, population: Population, victim: Victim, start_ms: int, room_ms: int) -> list[Draft]:
    """Card testing: many tiny payments at different sites within two minutes, some declined, then a big one.

    The network address is in the cardholder's own city, so that only the rhythm is suspicious.
    """
    sites = random.sample(population.everyday_sites, random.randint(7, 12))
    times = _spread(random, start_ms, _length(random, 15 * SECOND_MS, 110 * SECOND_MS, room_ms), len(sites) + 1)
    declined = set(random.sample(range(len(sites)), random.randint(3, len(sites) // 2)))
    device = _unknown_device(random)
    place = _address_in(random, victim.card.home)
    tests = [
        Draft(at, victim.card, site, random.randint(50, 300), place, device, online=True, declined=index in declined)
        for index, (at, site) in enumerate(zip(times, sites, strict=False))
    ]
    goal = random.choice(population.rare_sites)
    return [*tests, Draft(times[-1], victim.card, goal, random.randint(20_000, 70_000), place, device, online=True)]


def velocity_burst(random: Random, population: Population, victim: Victim, start_ms: int, room_ms: int) -> list[Draft]:
    """Velocity burst: many payments of at least the usual size within four minutes, at a few sites, before a block."""
    sites = random.sample(population.everyday_sites, random.randint(2, 4))
    times = _spread(random, start_ms, _length(random, 20 * SECOND_MS, 240 * SECOND_MS, room_ms), random.randint(9, 16))
    device = _unknown_device(random)
    place = _address_in(random, victim.card.home)
    return [
        Draft(
            at,
            victim.card,
            random.choice(sites),
            max(2_000, round(victim.card.usual_euro_cents * random.uniform(0.8, 3))),
            place,
            device,
            online=True,
        )
        for at in times
    ]


def impossible_travel(
    random: Random, population: Population, victim: Victim, start_ms: int, room_ms: int
) -> list[Draft]:
    """Cloned card: the owner's payment in a shop, and one or two in shops too far away to reach in time.

    The first payment is the owner's own: the pair is the pattern.
    """
    city = random.choice([city for city in CITIES if _far_apart(city, victim.place.city)])
    here = _nearest_shop(population, victim.place)
    there = random.choice(population.everyday_shops[city.name])
    meanwhile = _length(random, 10 * SECOND_MS, LONGEST_FLIGHT_MS, room_ms)
    abroad_ms = [start_ms + meanwhile * 3 // 4, start_ms + meanwhile][random.randrange(2) :]
    payments = [(start_ms, here, victim.place.city), *((at, there, city) for at in abroad_ms)]
    return [
        Draft(
            at,
            victim.card,
            shop,
            max(100, round(shop.typical_euro_cents * random.uniform(0.7, 1.5))),
            place_of(shop, where),
            terminal(shop, random.randrange(9)),
            online=False,
        )
        for at, shop, where in payments
    ]


def sudden_high_amount(
    random: Random, population: Population, victim: Victim, start_ms: int, room_ms: int
) -> list[Draft]:
    """Stolen card: one or two payments of many times the usual amount, for what its owner doesn't usually buy."""
    city = victim.place.city
    shop = random.choice(population.rare_shops[city.name])
    times = _spread(random, start_ms, _length(random, 5 * SECOND_MS, 180 * SECOND_MS, room_ms), random.randint(1, 2))
    device = terminal(shop, random.randrange(9))
    least = max(SUDDEN_HIGH_LEAST_EURO_CENTS, SUDDEN_HIGH_FACTOR * victim.card.usual_euro_cents)
    return [
        Draft(
            at,
            victim.card,
            shop,
            round(least * random.uniform(1.05, 3)),
            place_of(shop, city),
            device,
            online=False,
        )
        for at in times
    ]


def new_country_and_device(
    random: Random, population: Population, victim: Victim, start_ms: int, room_ms: int
) -> list[Draft]:
    """Account takeover: three to six online payments in a row from a country and a device never seen on the card."""
    city = random.choice([city for city in CITIES if city.country not in victim.countries])
    place, device = _address_in(random, city), _unknown_device(random)
    times = _spread(random, start_ms, _length(random, 15 * SECOND_MS, 300 * SECOND_MS, room_ms), random.randint(3, 6))
    return [
        Draft(
            at,
            victim.card,
            random.choice(population.rare_sites),
            random.randint(8_000, 45_000),
            place,
            device,
            online=True,
        )
        for at in times
    ]


PATTERNS = (
    Pattern("card_testing", card_testing, shortest_ms=15 * SECOND_MS, needs_history=False),
    Pattern("velocity_burst", velocity_burst, shortest_ms=20 * SECOND_MS, needs_history=False),
    Pattern("impossible_travel", impossible_travel, shortest_ms=10 * SECOND_MS, needs_history=False),
    Pattern("sudden_high_amount", sudden_high_amount, shortest_ms=5 * SECOND_MS, needs_history=True),
    Pattern("new_country_and_device", new_country_and_device, shortest_ms=15 * SECOND_MS, needs_history=True),
)


def _length(random: Random, shortest_ms: int, longest_ms: int, room_ms: int) -> int:
    """Return a length, short ones being likelier: most fraud is automated."""
    return int(random.triangular(shortest_ms, min(longest_ms, room_ms), shortest_ms))


def _spread(random: Random, start_ms: int, length_ms: int, times: int) -> list[int]:
    """Return this many moments in order, the first at the start; steps differ by a factor of up to three."""
    if times == 1:
        return [start_ms]
    steps = [random.uniform(1, 3) for _ in range(times - 1)]
    unit = length_ms / sum(steps)
    moments = [start_ms]
    for step in steps:
        moments.append(moments[-1] + int(step * unit))
    return moments


def _nearest_shop(population: Population, place: Place) -> Merchant:
    shops = population.everyday_shops[place.city.name]
    return min(shops, key=lambda shop: distance_km(place.latitude, place.longitude, shop.latitude, shop.longitude))


def _far_apart(city: City, other: City) -> bool:
    return distance_km(city.latitude, city.longitude, other.latitude, other.longitude) > FAR_AWAY_KM


def _unknown_device(random: Random) -> str:
    return f"browser-{random.getrandbits(48):012x}"


def _address_in(random: Random, city: City) -> Place:
    latitude, longitude = city.latitude + random.uniform(-0.02, 0.02), city.longitude + random.uniform(-0.02, 0.02)
    return Place(city, round(latitude, 5), round(longitude, 5))
