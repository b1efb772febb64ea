"""What is said on the wire? One frozen struct per event; its JSON Schema is generated from it."""

from events.analytics import CategoryRevenue, DeclinedRate, TopProduct, UnpaidOrder
from events.base import Event
from events.dead_letter import Cut, DeadLetter, Header
from events.dead_letter_replay import DeadLetterReplay
from events.enriched_order import EnrichedLine, EnrichedOrder
from events.fraud_alert import BrokenRule, FraudAlert
from events.notification import Notification, Occasion
from events.order import Order, OrderLine
from events.payment import Payment
from events.row_version import CaptureHeartbeat, CustomerVersion, ProductVersion, RowVersion
from events.ruleset import Rule, Ruleset
from events.shadow_hit import ShadowHit

__all__ = [
    "BrokenRule",
    "CaptureHeartbeat",
    "CategoryRevenue",
    "CustomerVersion",
    "Cut",
    "DeadLetter",
    "DeadLetterReplay",
    "DeclinedRate",
    "EnrichedLine",
    "EnrichedOrder",
    "Event",
    "FraudAlert",
    "Header",
    "Notification",
    "Occasion",
    "Order",
    "OrderLine",
    "Payment",
    "ProductVersion",
    "RowVersion",
    "Rule",
    "Ruleset",
    "ShadowHit",
    "TopProduct",
    "UnpaidOrder",
]
