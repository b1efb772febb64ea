"""Test data by intent: name what the case is about, the rest has defaults. The same arguments give the same event."""

from datetime import UTC, date, datetime, time
from typing import Any

from events import (
    BrokenRule,
    CaptureHeartbeat,
    CategoryRevenue,
    CustomerVersion,
    DeadLetter,
    DeadLetterReplay,
    EnrichedLine,
    EnrichedOrder,
    FraudAlert,
    Order,
    OrderLine,
    Payment,
    ProductVersion,
    Rule,
    Ruleset,
)

DAY = date(2026, 3, 1)
"""The day, in UTC, of test data unless a test names another one."""


def event_time(at: str) -> int:
    """Return UTC milliseconds of a time on `DAY` (`12:00:05`), or of a full ISO time (`2026-03-02T12:00:05Z`)."""
    moment = datetime.fromisoformat(at) if "T" in at else datetime.combine(DAY, time.fromisoformat(at))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def payment(card: str = "c1", at: str = "12:00:00", amount: float = 40, **more: Any) -> Payment:
    """Build an online payment of `amount` whole euros in Berlin. One card, one time, one `payment_id`."""
    payment_id = more.get("payment_id", f"{card}@{at}")
    defaults: dict[str, Any] = {
        "event_id": f"event-of-{payment_id}",
        "event_time": event_time(at),
        "payment_id": payment_id,
        "customer_id": f"customer-of-{card}",
        "card_id": card,
        "merchant_id": "m1",
        "merchant_category": "grocery",
        "amount_minor": round(amount * 100),
        "currency": "EUR",
        "base_amount_minor": round(amount * 100),
        "base_currency": "EUR",
        "country": "DE",
        "latitude": 52.52,
        "longitude": 13.405,
        "device_id": f"device-of-{card}",
        "channel": "online",
        "status": "authorized",
    }
    return Payment(**(defaults | more))


def order(order_id: str = "o1", at: str = "12:00:00", quantity: int = 2, price: float = 20, **more: Any) -> Order:
    """Build an order of one line: `quantity` pieces at `price` whole euros each."""
    line = OrderLine(line_number=1, product_id="p1", quantity=quantity, unit_price_minor=round(price * 100))
    lines = more.get("lines", (line,))
    defaults: dict[str, Any] = {
        "event_id": f"event-of-{order_id}",
        "event_time": event_time(at),
        "order_id": order_id,
        "customer_id": "customer-1",
        "currency": "EUR",
        "lines": lines,
        "total_minor": sum(each.quantity * each.unit_price_minor for each in lines),
        "shipping_country": "DE",
    }
    return Order(**(defaults | more))


def heartbeat(at: str = "12:00:00", lsn: int = 1) -> CaptureHeartbeat:
    """Build a heartbeat of change data capture that has progressed to that time."""
    return CaptureHeartbeat(
        event_id=f"heartbeat-{lsn}",
        event_time=event_time(at),
        op="u",
        lsn=lsn,
        deleted=False,
        connector="shop",
        beats=lsn,
    )


def order_line(product: str = "p1", number: int = 1, quantity: int = 1, price: float = 20) -> OrderLine:
    """Build a line of `quantity` pieces at `price` whole euros each."""
    return OrderLine(line_number=number, product_id=product, quantity=quantity, unit_price_minor=round(price * 100))


def customer(customer_id: str = "customer-1", at: str = "00:00:00", lsn: int = 1, **more: Any) -> CustomerVersion:
    """Build a version of a customer: standard tier, in Germany, with the version's time in the name."""
    defaults: dict[str, Any] = {
        "name": f"{customer_id} at {at}",
        "email": f"{customer_id}@example.org",
        "tier": "standard",
        "country": "DE",
        "language": "de",
        "time_zone": "Europe/Berlin",
        "notifications_opt_out": False,
    }
    return CustomerVersion(**(_version(customer_id, at, lsn) | {"customer_id": customer_id} | defaults | more))


def product(
    product_id: str = "p1", at: str = "00:00:00", price: float = 20, lsn: int = 1, **more: Any
) -> ProductVersion:
    """Build a version of a product: a book at `price` whole euros, with the version's time in the name."""
    defaults: dict[str, Any] = {
        "name": f"{product_id} at {at}",
        "category": "books",
        "price_minor": round(price * 100),
        "currency": "EUR",
        "stock": 7,
    }
    return ProductVersion(**(_version(product_id, at, lsn) | {"product_id": product_id} | defaults | more))


def _version(key: str, at: str, lsn: int) -> dict[str, Any]:
    return {
        "event_id": f"version-{key}-{lsn}",
        "event_time": event_time(at),
        "op": "c" if lsn == 1 else "u",
        "lsn": lsn,
        "deleted": False,
    }


def rule(name: str = "many_payments", when: str | None = "count_1m >= 4", score: int = 50, **more: Any) -> Rule:
    """Build an active rule with a condition; for a function pass `when=None, function=…`."""
    defaults: dict[str, Any] = {
        "name": name,
        "description": f"{name} is broken",
        "status": "active",
        "score": score,
        "when": when,
    }
    return Rule(**(defaults | more))


def ruleset(*rules: Rule, version: int = 1, at: str = "00:00:00", **more: Any) -> Ruleset:
    """Build a ruleset of the given rules, or one default rule, in force from `at`; a score of 50 is suspicious."""
    defaults: dict[str, Any] = {
        "event_id": f"ruleset-{version}",
        "event_time": event_time(at),
        "version": version,
        "effective_from": event_time(at),
        "published_by": "an analyst",
        "alert_score": 50,
        "quiet_minutes": 30,
        "rules": rules or (rule(),),
    }
    return Ruleset(**(defaults | more))


def enriched_order(order_id: str = "o1", at: str = "12:00:00", revision: int = 1, **more: Any) -> EnrichedOrder:
    """Build a complete order of two books at 20 euros each."""
    lines = more.get("lines", (enriched_line(),))
    defaults: dict[str, Any] = {
        "event_id": f"{order_id}-{revision}",
        "event_time": event_time(at),
        "revision": revision,
        "complete": True,
        "missing": (),
        "order_id": order_id,
        "customer_id": "customer-1",
        "customer_name": "Ada Lovelace",
        "customer_tier": "standard",
        "customer_country": "DE",
        "customer_lsn": 1,
        "currency": "EUR",
        "total_minor": sum(line.line_total_minor for line in lines),
        "lines_total_minor": sum(line.line_total_minor for line in lines),
        "totals_agree": True,
        "shipping_country": "DE",
        "lines": lines,
    }
    return EnrichedOrder(**(defaults | more))


def enriched_line(line_number: int = 1, product_id: str = "p1", quantity: int = 2, **more: Any) -> EnrichedLine:
    """Build a line of books at 20 euros each."""
    defaults: dict[str, Any] = {
        "line_number": line_number,
        "product_id": product_id,
        "name": "A book",
        "category": "books",
        "list_price_minor": 2000,
        "list_price_currency": "EUR",
        "product_lsn": 1,
        "quantity": quantity,
        "unit_price_minor": 2000,
        "line_total_minor": quantity * 2000,
    }
    return EnrichedLine(**(defaults | more))


def fraud_alert(event_id: str = "case-1-1", at: str = "12:00:00", **more: Any) -> FraudAlert:
    """Build the alert that opens a case: one payment of 40 euros broke one rule."""
    defaults: dict[str, Any] = {
        "event_id": event_id,
        "event_time": event_time(at),
        "event_type": "fraud_alert.opened",
        "case_id": "case-1",
        "card_id": "c1",
        "customer_id": "customer-1",
        "payment_id": "payment-1",
        "score": 50,
        "rules": (BrokenRule(rule="many_payments", score=50, reason="many payments"),),
        "ruleset_version": 1,
        "features": {"count_1m": 4, "avg_1h": 1.5, "country": "DE", "recent": ("a", "b"), "previous": None},
        "payments": ("payment-1",),
        "payment_count": 1,
        "amount_minor": 4000,
        "currency": "EUR",
    }
    return FraudAlert(**(defaults | more))


def category_revenue(category: str = "books", minute: str = "12:00", orders: int = 1, **more: Any) -> CategoryRevenue:
    """Build the revenue of `orders` orders of 40 euros in one minute."""
    start = event_time(f"{minute}:00")
    defaults: dict[str, Any] = {
        "event_id": f"{category}-EUR-{start}",
        "event_time": start + 59_999,
        "window_start": start,
        "window_end": start + 60_000,
        "category": category,
        "currency": "EUR",
        "orders": orders,
        "pieces": 2 * orders,
        "revenue_minor": 4000 * orders,
    }
    return CategoryRevenue(**(defaults | more))


def dead_letter(event_id: str = "payments-0-17", payload: bytes | None = b"{}", **more: Any) -> DeadLetter:
    """Build the fraud job's dead letter of the record at these coordinates, which is keyed by the card c1."""
    topic, partition, offset = event_id.rsplit("-", 2)
    defaults: dict[str, Any] = {
        "event_time": event_time("12:00:00"),
        "source_topic": topic,
        "source_partition": int(partition),
        "source_offset": int(offset),
        "source_key": b"c1",
        "source_headers": {},
        "reason": "the document ends too early (byte 2)",
        "rejected_by": "fraud_detection",
    }
    return DeadLetter(**({"event_id": event_id, "payload": payload} | defaults | more))


def replay(letter_id: str = "payments-2-17", **more: Any) -> DeadLetterReplay:
    """Build the mark that the record of `dead_letter(letter_id)` was replayed at 13:00, once."""
    letter = dead_letter(letter_id)
    defaults: dict[str, Any] = {
        "event_id": f"{letter_id}#1",
        "event_time": event_time("13:00:00"),
        "letter_id": letter_id,
        "source_topic": letter.source_topic,
        "source_partition": letter.source_partition,
        "source_offset": letter.source_offset,
        "source_time": letter.event_time,
        "times": 1,
        "sent_partition": letter.source_partition,
        "sent_offset": 99,
        "fix": "",
        "replayed_by": "an operator",
    }
    return DeadLetterReplay(**(defaults | more))
