"""What becomes of a row in a service's database: one event a version, so that changes are events like any other."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, Country, Currency, Event, Identifier, MinorUnits


class RowVersion(Event, frozen=True, kw_only=True):
    """A row as it became at `event_time`, the time at which the database changed it. Keyed by the primary key.

    `event_id` is the table, the primary key and `lsn`. For one key a greater `lsn` is a later version, whatever the
    order in which two versions are seen.
    """

    op: Literal["r", "c", "u", "d"]
    """r: read by a snapshot, valid since then as far as is known. c: created. u: updated. d: deleted."""
    lsn: Annotated[int, msgspec.Meta(ge=0)]
    """Position in the database's write-ahead log."""
    deleted: bool
    """Whether the row is gone; the other fields are those of its last version then."""


class CustomerVersion(RowVersion, frozen=True, kw_only=True):
    """A version of a row of `shop.customers`. Keyed by `customer_id`."""

    event_type: Literal["customer_version"] = "customer_version"
    """Always `customer_version`."""
    customer_id: Identifier
    """The shop's number for the customer."""
    name: Annotated[str, MASKED]
    """Given name and family name."""
    email: Annotated[str, MASKED]
    phone: Annotated[str, MASKED] | None = None
    """With country code, digits and `+`; null if it isn't known."""
    tier: Identifier
    """`standard`, `silver` or `gold`."""
    country: Country
    """Where the customer lives."""
    language: Identifier
    """ISO 639-1 code of the language that the customer is addressed in."""
    time_zone: Identifier
    """IANA name, such as `Europe/Paris`."""
    notifications_opt_out: bool
    """Whether the customer wants no messages but those that warn of fraud."""


class ProductVersion(RowVersion, frozen=True, kw_only=True):
    """A version of a row of `shop.products`. Keyed by `product_id`."""

    event_type: Literal["product_version"] = "product_version"
    """Always `product_version`."""
    product_id: Identifier
    """The shop's number for the product."""
    name: str
    """What the shop calls it."""
    category: Identifier
    """What kind of thing it is, in words: `books`, `garden`, …"""
    price_minor: Annotated[MinorUnits, msgspec.Meta(ge=0)]
    """List price of one piece, in minor units of `currency`."""
    currency: Currency
    stock: int
    """Pieces in the warehouse; negative if more are sold than there are."""


class CaptureHeartbeat(RowVersion, frozen=True, kw_only=True):
    """A version of a row of `millrace.heartbeats`, which change data capture itself keeps changing.

    It takes the way of every change, so what was committed before it has come through when it has. Keyed by
    `connector`.
    """

    event_type: Literal["capture_heartbeat"] = "capture_heartbeat"
    """Always `capture_heartbeat`."""
    connector: Identifier
    """The connector that captures the changes."""
    beats: Annotated[int, msgspec.Meta(ge=0)]
    """How often the row was changed."""
