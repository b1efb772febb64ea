"""Notifications by intent: name what the case is about, the rest has defaults."""

import time
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.topics import NOTIFICATIONS
from events import Notification, Occasion
from tests.builders.events import event_time


def occasion(kind: str = "order_confirmed", at: str = "12:00:00", amount: float = 40, **more: Any) -> Occasion:
    """Build an order of two books, or a suspicion about a card, over `amount` whole euros."""
    is_about_a_card = kind.startswith("fraud")
    defaults: dict[str, Any] = {
        "kind": kind,
        "occasion_id": f"{kind}@{at}",
        "happened_at": event_time(at),
        "subject_id": "card-0012345" if is_about_a_card else "order-1",
        "amount_minor": round(amount * 100),
        "currency": "EUR",
        "details": ("many payments",) if is_about_a_card else ("2 A book",),
    }
    return Occasion(**(defaults | more))


def notification(
    event_id: str = "n1", *occasions: Occasion, recipient: str = "customer-1", **more: Any
) -> Notification:
    """Build an order's confirmation, in English, decided just now."""
    payload = occasions or (occasion(),)
    template = "fraud_warning" if payload[0].kind.startswith("fraud") else "order_confirmation"
    defaults: dict[str, Any] = {
        "event_id": event_id,
        "event_time": time.time_ns() // 1_000_000,
        "recipient": recipient,
        "recipient_name": "Ada Lovelace",
        "channel": "email",
        "address": f"{recipient}@mail.example",
        "template": template if len(payload) == 1 else "digest",
        "language": "en",
        "time_zone": "Europe/Berlin",
        "reason": "passes at once",
        "policy_version": 1,
        "payload": payload,
    }
    return Notification(**(defaults | more))


def consumed(
    value: bytes | None = b"", partition: int = 0, offset: int = 7, key: bytes | None = b"k", timestamp_ms: int = 5
) -> ConsumerRecord:
    """Return the notification as a record of its topic, as a consumer returns it."""
    known = {"topic": NOTIFICATIONS.name, "partition": partition, "offset": offset, "key": key, "value": value}
    more = {"timestamp": timestamp_ms, "headers": [("trace", b"1")]}
    return ConsumerRecord(**(dict.fromkeys(ConsumerRecord._fields) | known | more))
