"""Simulates honest cardholders, who shop nearby, pay online, travel, and sometimes do something unusual."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from local.simulator.payments.drafts import Draft, Place, home_of, place_of, terminal
from local.simulator.payments.fraud_patterns import Victim
from local.simulator.world.places import CITIES, DAY_MS, HOUR_MS, HOURLY_ACTIVITY, activity, distance_km
from local.simulator.world.population import Card, Merchant, Population

MINUTE_MS = 60_000

LOCAL_KMH = 30.0
FLIGHT_KMH = 700.0
TO_AND_FROM_THE_AIRPORT_MS = 90 * MINUTE_MS

REST_MINUTES = (3, 10)
"""Range of the time that a card rests after a visit to a merchant."""
SECOND_PAYMENT_SHARE = 0.03
"""Share of visits with a second payment to the same merchant within a minute."""
DECLINED_SHARE = 0.02
RETRY_SHARE = 0.6
"""Share of declined payments that are retried within the minute."""
RARE_PURCHASE_SHARE = 0.006
"""Share of rare purchases, such as a television, a ring or a journey: many times the usual amount."""
TRIP_SHARE = 0.005
RETURN_SHARE = 0.2
AWAY_AT_FIRST_SHARE = 0.01
REGULAR_SHARE = 0.2
"""Share of all visits by the cards that have a history; see `Customers.history`."""
VISITS_A_DAY = 8
LEAST_REGULARS, MOST_REGULARS, REGULARS_ONE_IN = 300, 2_500, 40

TRIES = 200
"""Maximum number of cards that are tried to find one that can pay now."""
SLEEPLESS_AFTER = 50
"""Number of tries after which the hour of the day no longer counts."""

VICTIM_VISITS = 3
VICTIM_HISTORY_MS = 20 * HOUR_MS
VICTIM_IDLE_MS = 15 * MINUTE_MS
BLOCKED_MS = DAY_MS
"""Time after a fraud during which the card is blocked: its owner doesn't pay with it."""


@dataclass(slots=True)
class _CardActivity:
    """Recent activity of a card."""

    place: Place
    last_ms: int | None = None
    free_from_ms: int = 0
    visits: deque[int] = field(default_factory=lambda: deque(maxlen=VICTIM_VISITS))
    countries: set[str] = field(default_factory=set)


def regulars(cards: int) -> int:
    """Return the number of cards with a history: these are the first ones."""
    return min(cards, MOST_REGULARS, max(LEAST_REGULARS, cards // REGULARS_ONE_IN))


class Customers:
    """Cards and the places of their owners. Call its methods in order of event time.

    No honest card is ever in two places at once: owners move at `LOCAL_KMH` within a city and at `FLIGHT_KMH`, plus
    time at airports, between cities.
    """

    def __init__(self, population: Population, cards: int, random: Random) -> None:
        self._population, self._cards, self._random = population, cards, random
        self._activities: dict[int, _CardActivity] = {}
        self._seen: list[int] = []
        self._at_home: list[int] = []
        self._regulars = regulars(cards)

    def history(self, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return (time, card number) of the regular cards' visits before the run, in order of time."""
        candidates = round((end_ms - start_ms) / HOUR_MS)
        likely = VISITS_A_DAY / sum(HOURLY_ACTIVITY)
        visits = []
        for number in range(self._regulars):
            offset = self._population.home(number).utc_offset_hours
            for _ in range(candidates):
                at = self._random.randrange(start_ms, end_ms)
                if self._random.random() < likely * activity(offset, at):
                    visits.append((at, number))
        return sorted(visits)

    def visit(self, at_ms: int, number: int | None = None) -> list[Draft]:
        """Return the payment of any free card (or of that card, unless it is busy), and perhaps a second one within the
        minute."""
        if number is None:
            number = self._card_at_rest(at_ms)
        card, recent = self._population.card(number), self._activity(number)
        if at_ms < recent.free_from_ms:
            return []
        drafts = self._payments(card, recent, at_ms)
        self._remember(recent, drafts)
        self._perhaps_travel(card, recent, drafts[-1].at_ms)
        return drafts

    def late_payment(self, at_ms: int, earlier_ms: int, beyond_ms: int) -> Draft | None:
        """Return a payment made `earlier_ms` before it arrives at `at_ms`, with a card whose owner was at home all the
        time.

        With `beyond_ms` it was also made that long before the newest visit of its card. None if no card is suitable
        now.
        """
        if not self._at_home:
            return None
        number = self._random.choice(self._at_home)
        card, newest = self._population.card(number), self._activity(number).last_ms
        if newest is None or newest > at_ms - MINUTE_MS:
            return None
        made = min(at_ms - earlier_ms, newest - beyond_ms) if beyond_ms else at_ms - earlier_ms
        return self._online(card, home_of(card), made, self._random.choice(card.sites))

    def victim(self, at_ms: int, needs_history: bool) -> Victim | None:
        """Return a card at rest, at home or on a journey, with visits during the last hours if history is needed."""
        candidates = self._seen if needs_history else range(self._cards)
        for _ in range(TRIES if candidates else 0):
            card = self._population.card(self._random.choice(candidates))
            recent = self._activity(card.number)
            rested = recent.last_ms is None or recent.last_ms + VICTIM_IDLE_MS <= at_ms
            known = len(recent.visits) == VICTIM_VISITS and recent.visits[0] > at_ms - VICTIM_HISTORY_MS
            available = not card.stays_at_home and recent.free_from_ms <= at_ms
            if available and rested and (known or not needs_history):
                return Victim(card, recent.place, frozenset(recent.countries | {card.home.country}))
        return None

    def block(self, victim: Victim, from_ms: int) -> None:
        """Mark the card as a fraud victim until `from_ms`; its owner doesn't pay with it before that time, nor for a
        day after it."""
        self._activity(victim.card.number).free_from_ms = from_ms + BLOCKED_MS

    def _card_at_rest(self, at_ms: int) -> int:
        random, population = self._random, self._population
        for attempt in range(TRIES):
            regular = random.random() < REGULAR_SHARE
            number = random.randrange(self._regulars if regular else self._cards)
            recent = self._activities.get(number)
            if recent is not None and at_ms < recent.free_from_ms:
                continue
            offset = (recent.place.city if recent else population.home(number)).utc_offset_hours
            if attempt >= SLEEPLESS_AFTER or random.random() < activity(offset, at_ms):
                return number
        raise RuntimeError(f"no card of {self._cards} is at rest: more cards or a lower rate are needed")

    def _activity(self, number: int) -> _CardActivity:
        recent = self._activities.get(number)
        if recent is None:
            card = self._population.card(number)
            away = not card.stays_at_home and self._random.random() < AWAY_AT_FIRST_SHARE
            self._activities[number] = recent = _CardActivity(self._hotel() if away else home_of(card))
        return recent

    def _payments(self, card: Card, recent: _CardActivity, at_ms: int) -> list[Draft]:
        random = self._random
        first = self._purchase(card, recent, at_ms)
        again_ms = at_ms + random.randint(8_000, 50_000)
        if first.declined and random.random() < RETRY_SHARE:
            return [first, self._repeated(first, again_ms, first.euro_cents)]
        if random.random() < SECOND_PAYMENT_SHARE:
            return [first, self._repeated(first, again_ms, self._amount(card, first.merchant))]
        return [first]

    def _purchase(self, card: Card, recent: _CardActivity, at_ms: int) -> Draft:
        random, city = self._random, recent.place.city
        at_home = city is card.home
        rare = random.random() < RARE_PURCHASE_SHARE
        if random.random() >= card.online_share:
            usual = card.shops if at_home else self._population.everyday_shops[city.name]
            wanted = self._population.rare_shops[city.name] if rare and not card.stays_at_home else usual
            shop = random.choice(wanted)
            if self._reaches(recent, shop, at_ms):
                return self._in_shop(card, place_of(shop, city), at_ms, shop)
        site = random.choice(self._population.rare_sites if rare else card.sites)
        return self._online(card, recent.place, at_ms, site)

    def _in_shop(self, card: Card, place: Place, at_ms: int, shop: Merchant) -> Draft:
        device = terminal(shop, self._random.randrange(9))
        return Draft(
            at_ms, card, shop, self._amount(card, shop), place, device, online=False, declined=self._declined()
        )

    def _online(self, card: Card, place: Place, at_ms: int, site: Merchant) -> Draft:
        device = card.phone if place.city is not card.home or self._random.random() < 0.6 else card.browser
        return Draft(at_ms, card, site, self._amount(card, site), place, device, online=True, declined=self._declined())

    def _repeated(self, first: Draft, at_ms: int, euro_cents: int) -> Draft:
        return Draft(at_ms, first.card, first.merchant, euro_cents, first.place, first.device_id, first.online)

    def _amount(self, card: Card, merchant: Merchant) -> int:
        return max(100, round(merchant.typical_euro_cents * card.spending * self._random.lognormvariate(0, 0.45)))

    def _declined(self) -> bool:
        return self._random.random() < DECLINED_SHARE

    def _reaches(self, recent: _CardActivity, shop: Merchant, at_ms: int) -> bool:
        if recent.last_ms is None:
            return True
        hours = (at_ms - recent.last_ms) / HOUR_MS
        here = recent.place
        return distance_km(here.latitude, here.longitude, shop.latitude, shop.longitude) <= LOCAL_KMH * hours

    def _remember(self, recent: _CardActivity, drafts: list[Draft]) -> None:
        first, last = drafts[0], drafts[-1]
        if recent.last_ms is None:
            self._seen.append(first.card.number)
            if first.card.stays_at_home:
                self._at_home.append(first.card.number)
        recent.place, recent.last_ms = first.place, last.at_ms
        recent.visits.append(first.at_ms)
        recent.countries.add(first.place.city.country)
        recent.free_from_ms = last.at_ms + round(self._random.uniform(*REST_MINUTES) * MINUTE_MS)

    def _perhaps_travel(self, card: Card, recent: _CardActivity, from_ms: int) -> None:
        if card.stays_at_home:
            return
        if recent.place.city is not card.home:
            if self._random.random() < RETURN_SHARE:
                self._travel(recent, home_of(card), from_ms)
        elif self._random.random() < TRIP_SHARE:
            self._travel(recent, self._hotel(), from_ms)

    def _travel(self, recent: _CardActivity, there: Place, from_ms: int) -> None:
        here = recent.place
        km = distance_km(here.latitude, here.longitude, there.latitude, there.longitude)
        takes_ms = TO_AND_FROM_THE_AIRPORT_MS + km / FLIGHT_KMH * HOUR_MS
        recent.place = there
        recent.last_ms = recent.free_from_ms = from_ms + round(takes_ms * self._random.uniform(1, 1.3))

    def _hotel(self) -> Place:
        city = self._random.choice(CITIES)
        return Place(city, city.latitude, city.longitude)
