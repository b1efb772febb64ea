"""A card payment, as the payment service saw it when the issuer answered."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, CardId, Country, Currency, Event, Identifier, MinorUnits

Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90, description="WGS 84 degrees")]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180, description="WGS 84 degrees")]


class Payment(Event, frozen=True, kw_only=True):
    """One authorisation request and its answer. Keyed by `card_id`."""

    event_type: Literal["payment"] = "payment"
    """Always `payment`."""
    payment_id: Identifier
    """The payment's own number: a retry by the merchant repeats it under a new `event_id`."""
    order_id: Identifier | None = None
    """The order that it pays for; null for payments outside the shop."""
    customer_id: Identifier
    """Whom the card belongs to."""
    card_id: CardId
    """A token for the card, never its number."""
    merchant_id: Identifier
    """Who gets the money."""
    merchant_category: Identifier
    """What the merchant sells, in words: `grocery`, `electronics`, `digital`, …"""
    amount_minor: Annotated[MinorUnits, msgspec.Meta(gt=0)]
    """What the cardholder pays, in minor units of `currency`."""
    currency: Currency
    base_amount_minor: Annotated[MinorUnits, msgspec.Meta(gt=0)]
    """The same amount in minor units of `base_currency`, at the rate of that moment: sums need one currency."""
    base_currency: Currency
    country: Country
    """Where the card was used: the terminal's country, or the one of the buyer's network address."""
    latitude: Annotated[Latitude, MASKED]
    longitude: Annotated[Longitude, MASKED]
    device_id: Annotated[Identifier, MASKED]
    """The terminal, phone or browser that the card was used on."""
    channel: Literal["card_present", "online"]
    """card_present: at a terminal. online: the card was not there."""
    status: Literal["authorized", "declined"]
    """The issuer's answer: authorized, or declined."""
