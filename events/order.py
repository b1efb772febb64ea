"""A shop order with its lines."""

from typing import Annotated, Literal

import msgspec

from events.base import Country, Currency, Event, Identifier, MinorUnits


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One product of an order."""

    line_number: Annotated[int, msgspec.Meta(ge=1)]
    """1 for the first line; unique within the order."""
    product_id: Identifier
    """What was ordered."""
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    """How many pieces."""
    unit_price_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """Price of one piece, in minor units of the order's currency."""


class Order(Event, frozen=True, kw_only=True):
    """An order as the customer placed it. Keyed by `order_id`."""

    event_type: Literal["order"] = "order"
    """Always `order`."""
    order_id: Identifier
    """The shop's number for it."""
    customer_id: Identifier
    """Who placed it."""
    currency: Currency
    lines: Annotated[tuple[OrderLine, ...], msgspec.Meta(min_length=1)]
    """What was ordered, at least one line."""
    total_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """Sum of quantity × unit price over the lines, in minor units of `currency`."""
    shipping_country: Country
