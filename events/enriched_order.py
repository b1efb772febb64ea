"""An order with all that was known of its customer and products when it was placed."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, Country, Currency, Event, Identifier, MinorUnits


class EnrichedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order with the version of its product that was valid at the order's event time."""

    line_number: Annotated[int, msgspec.Meta(ge=1)]
    """1 for the first line; unique within the order."""
    product_id: Identifier
    """What was ordered."""
    name: str | None
    """What the shop called it; null while the product isn't known, like the other fields of the product."""
    category: Identifier | None
    """What kind of thing it is."""
    list_price_minor: MinorUnits | None
    """The product's list price at that time, in minor units of `list_price_currency`."""
    list_price_currency: Currency | None
    product_lsn: int | None
    """Which version of the product this is."""
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    """How many pieces."""
    unit_price_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """What one piece was sold for, in minor units of the order's currency."""
    line_total_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """Quantity × unit price, in minor units of the order's currency."""


class EnrichedOrder(Event, frozen=True, kw_only=True):
    """One row per order and revision. Keyed by `order_id`; of one order the greatest revision counts.

    `event_id` is the order's id and the revision; `event_time` is the order's.
    """

    event_type: Literal["enriched_order"] = "enriched_order"
    """Always `enriched_order`."""
    revision: Annotated[int, msgspec.Meta(ge=1)]
    """1 for the row that goes out at once; one more for each that corrects it: what was missing arrived, or another
    version turned out to have been valid at the order's event time."""
    complete: bool
    """Whether customer and products are all known."""
    missing: tuple[str, ...]
    """What isn't known, as `customer:<id>` and `product:<id>` in the order of the lines; empty if complete."""
    order_id: Identifier
    """The shop's number for it."""
    customer_id: Identifier
    """Who placed it."""
    customer_name: Annotated[str, MASKED] | None
    """The customer's name at that time; null while the customer isn't known, like the next three."""
    customer_tier: Identifier | None
    customer_country: Country | None
    customer_lsn: int | None
    """Which version of the customer this is."""
    currency: Currency
    total_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """What the order says that it costs, in minor units of `currency`."""
    lines_total_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """Sum of the lines' totals, in minor units of `currency`."""
    totals_agree: bool
    """Whether the two are the same."""
    shipping_country: Country
    lines: Annotated[tuple[EnrichedLine, ...], msgspec.Meta(min_length=1)]
    """By line number, from 1."""
    provisional: bool = False
    """Whether change data capture hadn't come as far as the order's event time when this row went out. It is based on
    what was known then; a later revision follows if another version turns out to have been valid."""
