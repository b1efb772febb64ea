"""Payments before they have a number: card, merchant, amount, place, time and device."""

from dataclasses import dataclass

from events import Payment
from local.simulator.world.places import BASE_CURRENCY, City, in_base, in_currency
from local.simulator.world.population import Card, Merchant

TERMINALS_PER_SHOP = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A point in a city."""

    city: City
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Draft:
    """One payment without a number."""

    at_ms: int
    """Event time, in UTC milliseconds."""
    card: Card
    merchant: Merchant
    euro_cents: int
    place: Place
    """Place of the terminal, or of the buyer's network address."""
    device_id: str
    online: bool
    declined: bool = False

    def numbered(self, payment_id: str) -> Payment:
        """Return the payment, in the currency of the terminal's country or, online, of the cardholder's home."""
        currency = self.card.home.currency if self.online else self.place.city.currency
        amount = in_currency(self.euro_cents, currency)
        return Payment(
            event_id=f"{payment_id}-1",
            event_time=self.at_ms,
            payment_id=payment_id,
            customer_id=self.card.customer_id,
            card_id=self.card.card_id,
            merchant_id=self.merchant.merchant_id,
            merchant_category=self.merchant.category,
            amount_minor=amount,
            currency=currency,
            base_amount_minor=in_base(amount, currency),
            base_currency=BASE_CURRENCY,
            country=self.place.city.country,
            latitude=self.place.latitude,
            longitude=self.place.longitude,
            device_id=self.device_id,
            channel="online" if self.online else "card_present",
            status="declined" if self.declined else "authorized",
        )


def home_of(card: Card) -> Place:
    """Return where the card's owner lives."""
    return Place(card.home, card.latitude, card.longitude)


def place_of(shop: Merchant, city: City) -> Place:
    """Return the place of a shop in that city."""
    return Place(city, shop.latitude, shop.longitude)


def terminal(shop: Merchant, number: int) -> str:
    """Return the device id of one of a shop's terminals."""
    return f"terminal-{shop.merchant_id}-{number % TERMINALS_PER_SHOP + 1}"
