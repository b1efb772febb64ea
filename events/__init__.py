"""What is said on the wire? One frozen struct per event; its JSON Schema is generated from it."""

from events.base import Event
from events.dead_letter import DeadLetter
from events.fraud_alert import BrokenRule, FraudAlert
from events.order import Order, OrderLine
from events.payment import Payment
from events.ruleset import Rule, Ruleset
from events.shadow_hit import ShadowHit

__all__ = [
    "BrokenRule",
    "DeadLetter",
    "Event",
    "FraudAlert",
    "Order",
    "OrderLine",
    "Payment",
    "Rule",
    "Ruleset",
    "ShadowHit",
]
