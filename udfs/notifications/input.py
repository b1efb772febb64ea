"""Converts records into the input of notification decisions. Knows no Flink."""

from typing import Annotated, Literal

import msgspec

from events import CustomerVersion, EnrichedOrder, FraudAlert
from udfs.notifications.contacts import Contact
from udfs.notifications.state import Line, RecipientEvent
from udfs.source_records import SourceRecord

LONGEST_ADDRESS = 254
"""Maximum number of characters of an e-mail address (RFC 5321)."""

_STEPS: dict[str, Literal["fraud_suspected", "fraud_escalated", "fraud_closed"]] = {
    "fraud_alert.opened": "fraud_suspected",
    "fraud_alert.escalated": "fraud_escalated",
    "fraud_alert.closed": "fraud_closed",
}


class _Customer(CustomerVersion, frozen=True, kw_only=True):
    email: Annotated[str, msgspec.Meta(max_length=LONGEST_ADDRESS)]


_alert = msgspec.json.Decoder(FraudAlert)
_order = msgspec.json.Decoder(EnrichedOrder)
_customer = msgspec.json.Decoder(_Customer)


def alert_event(record: SourceRecord) -> RecipientEvent:
    """Convert a record of `fraud-alerts`. Its times are the record's timestamp, which watermarks follow.

    Raises:
        msgspec.ValidationError: the record is not a valid alert.
    """
    alert = _alert.decode(record.payload or b"")
    return RecipientEvent(
        kind=_STEPS[alert.event_type],
        event_id=alert.event_id,
        happened_at=record.event_time,
        subject_id=alert.card_id,
        amount_minor=alert.amount_minor,
        currency=alert.currency,
        revision=1,
        lines=tuple(Line(text=rule.reason) for rule in alert.rules),
        record=record,
    )


def order_event(record: SourceRecord) -> RecipientEvent:
    """Convert a record of `enriched-orders`; otherwise like `alert_event`."""
    order = _order.decode(record.payload or b"")
    return RecipientEvent(
        kind="order",
        event_id=order.event_id,
        happened_at=record.event_time,
        subject_id=order.order_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        revision=order.revision,
        lines=tuple(
            Line(
                text=f"{line.quantity} {line.name or line.product_id}",
                number=line.line_number,
                known=line.name is not None,
            )
            for line in order.lines
        ),
        record=record,
    )


def contact(record: SourceRecord) -> Contact:
    """Convert a record of `db-changes.customers`; otherwise like `alert_event`."""
    customer = _customer.decode(record.payload or b"")
    return Contact(
        lsn=customer.lsn,
        valid_from=record.event_time,
        deleted=customer.deleted,
        opted_out=customer.notifications_opt_out,
        name=customer.name,
        address=customer.email,
        language=customer.language,
        time_zone=customer.time_zone,
    )
