"""What the SQL pipelines say: one event a window, a rank, a deadline."""

from typing import Annotated, Literal

import msgspec

from events.base import Country, Currency, Event, EventTime, Identifier, MinorUnits

Count = Annotated[int, msgspec.Meta(ge=0)]


class CategoryRevenue(Event, frozen=True, kw_only=True):
    """What one category sold in one minute, in one currency. Keyed by `category`.

    `event_id` is category, currency and window; `event_time` is the window's last millisecond. It is emitted again when
    an order of that minute is corrected: of one `event_id` the greatest revision counts.
    """

    event_type: Literal["category_revenue"] = "category_revenue"
    """Always `category_revenue`."""
    window_start: EventTime
    window_end: EventTime
    """The first millisecond that isn't in the window."""
    category: Identifier
    """Of the products; `unknown` for lines whose product wasn't known when the order was enriched."""
    currency: Currency
    revision: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Grows with each order and correction that is in it."""
    orders: Count
    """Different orders with such a line; 0 if corrections have left none."""
    pieces: Count
    """Sum of the quantities."""
    revenue_minor: MinorUnits
    """Sum of the lines' totals, in minor units of `currency`."""


class TopProduct(Event, frozen=True, kw_only=True):
    """A product that is among the ten that sold most pieces in an hour. Keyed by `event_id`.

    `event_id` is window and rank; `event_time` is the window's last millisecond.
    """

    event_type: Literal["top_product"] = "top_product"
    """Always `top_product`."""
    window_start: EventTime
    window_end: EventTime
    """The first millisecond that isn't in the window."""
    rank: Annotated[int, msgspec.Meta(ge=1, le=10)]
    """1 sold most; of two that sold as much, the one whose id comes first is before the other."""
    product_id: Identifier
    """What was sold."""
    pieces: Count
    """How many."""
    orders: Count
    """In how many different orders."""


class UnpaidOrder(Event, frozen=True, kw_only=True):
    """An order with no authorized payment within 15 minutes. Keyed by `order_id`.

    `event_id` is the order's id and `-unpaid`; `event_time` is the deadline.
    """

    event_type: Literal["unpaid_order"] = "unpaid_order"
    """Always `unpaid_order`."""
    order_id: Identifier
    """Which order."""
    customer_id: Identifier
    """Who placed it."""
    placed_at: EventTime
    """The order's event time."""
    currency: Currency
    total_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """What it costs, in minor units of `currency`."""


class DeclinedRate(Event, frozen=True, kw_only=True):
    """How many payments of a country were declined in an hour; a new hour every five minutes. Keyed by `country`.

    `event_id` is country and window; `event_time` is the window's last millisecond.
    """

    event_type: Literal["declined_rate"] = "declined_rate"
    """Always `declined_rate`."""
    window_start: EventTime
    window_end: EventTime
    """The first millisecond that isn't in the window."""
    country: Country
    """Where the cards were used."""
    payments: Annotated[int, msgspec.Meta(ge=1)]
    """All of them; a payment that is sent again counts once."""
    declined: Count
    """Those that the issuer declined."""
    declined_rate: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """declined ÷ payments."""
