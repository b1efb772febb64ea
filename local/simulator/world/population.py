"""Customers with their cards, merchants and products: the same in every run, whatever its seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians
from random import Random

from local.simulator.world.places import CITIES, City
from local.simulator.world.products import products_on_offer

SEED = 1
CACHED_CARDS = 200_000
CARDS_IN_FIVE = 4
"""Of five cards in a row, the first two belong to one customer."""
STAY_AT_HOME_EVERY = 10
"""One in this many customers pays only at home. Only these customers have orders and late payments: whatever the time
of these, no customer has to be in two places at once."""
CITY_TABLE_SIZE = 1009
KM_PER_DEGREE = 111.2

EVERYDAY_SHOPS = {
    "grocery": 35,
    "restaurant": 28,
    "cafe": 6,
    "fuel": 55,
    "pharmacy": 18,
    "clothing": 60,
    "transport": 9,
}
RARE_SHOPS = {"electronics": 240, "jewellery": 450, "furniture": 380}
EVERYDAY_SITES = {"digital": 10, "subscription": 13, "marketplace": 38, "fashion": 65, "food_delivery": 24}
RARE_SITES = {"travel": 340, "electronics": 260, "luxury": 620, "gift_cards": 50}
"""Merchant categories, with a typical amount in euros; a card's usual merchants are never of a rare category."""

SHOPS_PER_EVERYDAY_CATEGORY = 5
SHOPS_PER_RARE_CATEGORY = 2
SITES_PER_CATEGORY = 8


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop at a place, or a site that ships anywhere."""

    merchant_id: str
    category: str
    country: str
    latitude: float
    longitude: float
    typical_euro_cents: int
    """Amount that a customer with average spending spends there in one payment."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card with its owner's habits."""

    number: int
    card_id: str
    customer_id: str
    home: City
    latitude: float
    """Latitude of the owner's home."""
    longitude: float
    phone: str
    browser: str
    shops: tuple[Merchant, ...]
    """Usual shops, in the home city; favourites appear more than once."""
    sites: tuple[Merchant, ...]
    """Usual sites."""
    spending: float
    """Amount of the owner's payments, relative to the average."""
    online_share: float
    stays_at_home: bool

    @property
    def usual_euro_cents(self) -> int:
        """Usual amount of a payment by this card."""
        usual = self.shops + self.sites
        return round(self.spending * sum(merchant.typical_euro_cents for merchant in usual) / len(usual))


class Population:
    """An unlimited number of cards; each is created on first use, so that millions cost nothing."""

    def __init__(self) -> None:
        self.card = lru_cache(CACHED_CARDS)(self._make_card)
        self.shops = {city.name: tuple(_shops(city)) for city in CITIES}
        self.everyday_shops = {name: _of(shops, EVERYDAY_SHOPS) for name, shops in self.shops.items()}
        self.rare_shops = {name: _of(shops, RARE_SHOPS) for name, shops in self.shops.items()}
        self.sites = tuple(_sites(EVERYDAY_SITES | RARE_SITES))
        self.everyday_sites = _of(self.sites, EVERYDAY_SITES)
        self.rare_sites = _of(self.sites, RARE_SITES)
        self.products = products_on_offer()

    def home(self, number: int) -> City:
        """Return the home city of a card's owner, without creating the card."""
        return home_city(customer_of(number))

    def card_of(self, customer_id: str) -> Card:
        """Return the (first) card of the customer with that id.

        Raises:
            KeyError: it isn't an id of this population's customers.
        """
        return self.card(first_card_of(customer_number(customer_id)))

    def _make_card(self, number: int) -> Card:
        customer = customer_of(number)
        home = self.home(number)
        owner, habits = Random(SEED * 1_000_003 + customer), Random(-1 - number)
        shops = self.everyday_shops[home.name]
        stays_at_home = stays_home(customer)
        corner_shop = owner.choice(shops)
        latitude, longitude = (
            (corner_shop.latitude, corner_shop.longitude) if stays_at_home else _near(home, owner, km=4)
        )
        return Card(
            number=number,
            card_id=f"card-{number:07d}",
            customer_id=customer_id(customer),
            home=home,
            latitude=latitude,
            longitude=longitude,
            phone=f"phone-{customer:07d}",
            browser=f"browser-{customer:07d}",
            shops=(corner_shop,) if stays_at_home else tuple(habits.choices(shops, k=6)),
            sites=tuple(habits.choices(self.everyday_sites, k=3)),
            spending=round(habits.lognormvariate(0, 0.4), 3),
            online_share=0.6 if stays_at_home else habits.uniform(0.1, 0.5),
            stays_at_home=stays_at_home,
        )


def customer_of(card_number: int) -> int:
    """Return the number of the card's owner."""
    return card_number * CARDS_IN_FIVE // 5


def first_card_of(customer: int) -> int:
    """Return the number of the customer's first card."""
    return -(-customer * 5 // CARDS_IN_FIVE)


def customer_id(customer: int) -> str:
    """Return the id of the customer with that number."""
    return f"customer-{customer:07d}"


def customer_number(customer_id: str) -> int:
    """Return the number of the customer with that id.

    Raises:
        KeyError: it isn't an id of this population's customers.
    """
    prefix, _, number = customer_id.partition("-")
    if prefix != "customer" or not number.isdecimal():
        raise KeyError(customer_id)
    return int(number)


def home_city(customer: int) -> City:
    """Return the home city of the customer with that number."""
    return _HOMES[customer * 7919 % CITY_TABLE_SIZE]


def stays_home(customer: int) -> bool:
    """Return whether the customer pays only at home."""
    return customer % STAY_AT_HOME_EVERY == STAY_AT_HOME_EVERY - 1


def _shops(city: City) -> list[Merchant]:
    random = Random(f"{SEED}/{city.name}")
    counts = dict.fromkeys(EVERYDAY_SHOPS, SHOPS_PER_EVERYDAY_CATEGORY)
    counts |= dict.fromkeys(RARE_SHOPS, SHOPS_PER_RARE_CATEGORY)
    shops = []
    for category, euros in (EVERYDAY_SHOPS | RARE_SHOPS).items():
        for number in range(counts[category]):
            latitude, longitude = _near(city, random, km=2)
            merchant_id = f"{category}-{city.name.lower().replace(' ', '-')}-{number + 1}"
            typical = round(euros * 100 * random.uniform(0.7, 1.4))
            shops.append(Merchant(merchant_id, category, city.country, latitude, longitude, typical))
    return shops


def _sites(categories: dict[str, int]) -> list[Merchant]:
    random = Random(f"{SEED}/sites")
    sites = []
    for category, euros in categories.items():
        for number in range(SITES_PER_CATEGORY):
            seat = random.choice(CITIES)
            typical = round(euros * 100 * random.uniform(0.7, 1.4))
            merchant_id = f"{category}-online-{number + 1}"
            sites.append(Merchant(merchant_id, category, seat.country, seat.latitude, seat.longitude, typical))
    return sites


def _of(merchants: Sequence[Merchant], categories: dict[str, int]) -> tuple[Merchant, ...]:
    return tuple(merchant for merchant in merchants if merchant.category in categories)


def _near(city: City, random: Random, km: float) -> tuple[float, float]:
    """Return a point at about that distance from the city's centre, at most three times as far in each direction."""
    north, east = (max(-3 * km, min(3 * km, random.gauss(0, km))) for _ in range(2))
    latitude = city.latitude + north / KM_PER_DEGREE
    longitude = city.longitude + east / (KM_PER_DEGREE * cos(radians(city.latitude)))
    return round(latitude, 5), round(longitude, 5)


def _city_table() -> tuple[City, ...]:
    return tuple(Random(SEED).choices(CITIES, [city.weight for city in CITIES], k=CITY_TABLE_SIZE))


_HOMES = _city_table()
