"""Every topic, declared once: what is in it, by what it is keyed, how long it is kept, who owns it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from events import (
    CaptureHeartbeat,
    CategoryRevenue,
    CustomerVersion,
    DeadLetter,
    DeadLetterReplay,
    DeclinedRate,
    EnrichedOrder,
    Event,
    FraudAlert,
    Notification,
    Order,
    Payment,
    ProductVersion,
    Ruleset,
    ShadowHit,
    TopProduct,
    UnpaidOrder,
)
from events.schemas import rules_text

MINUTE_MS = 60_000
DAY_MS = 86_400_000
FOREVER_MS = -1
UNLIMITED_MS = 2**63 - 1
"""What Kafka writes for a limit that isn't set."""
UNLIMITED_BYTES = -1

FUTURE_LIMIT = timedelta(minutes=5)
"""Brokers refuse a record whose timestamp is further ahead than this: it would drag event time along."""

MESSAGE_BYTES = 1_048_588
"""What brokers take of one message, after compression: Kafka's own default, so that no other client needs a setting."""

REQUEST_BYTES = 1_048_576
"""What producers take of one record, before compression: Kafka's own default."""

RECORD_BYTES = 1_000_000
"""Key, value and headers of a record that a job writes. The rest up to the two above is for Kafka's own fields, and for
what can't be compressed and becomes a little larger by it."""

FUTURE_MARGIN = timedelta(minutes=1)
"""By how much the clocks of TaskManagers and brokers may differ: a job writes no timestamp nearer to the limit."""

YEAR_9999_MS = 253_370_764_800_000
"""First millisecond of the year 9999, UTC: no event is as late. Neither PostgreSQL nor Python reads times beyond it."""


@dataclass(frozen=True)
class Topic:
    """A Kafka topic and the event type of its values."""

    name: str
    key: str
    """Field of the event that is the record's key: same key, same partition, same order."""
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    """Milliseconds; `FOREVER_MS` keeps everything."""
    event: type[Event]
    owner: str
    """Who answers for what is in it."""

    @property
    def subject(self) -> str:
        """The schema's name in the registry."""
        return f"{self.name}-value"

    @property
    def schema_variable(self) -> str:
        """What stands for its event's schema in SQL files, e.g. `${PAYMENTS_SCHEMA}`."""
        return f"{re.sub('[-.]', '_', self.name).upper()}_SCHEMA"

    def config(self) -> dict[str, str]:
        """The topic's configuration as Kafka spells it: every setting by which records get lost or are refused.

        A broker's default for one of them may be another at any time, so that all are declared. Where records lie, and
        when segments are closed, is left to the brokers.
        """
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "retention.bytes": str(UNLIMITED_BYTES),
            "delete.retention.ms": str(DAY_MS),
            "unclean.leader.election.enable": "false",
            "message.timestamp.before.max.ms": str(UNLIMITED_MS),
            "message.timestamp.type": "CreateTime",
            "message.timestamp.after.max.ms": str(_milliseconds(FUTURE_LIMIT)),
            "max.message.bytes": str(MESSAGE_BYTES),
        }


ORDERS = Topic("orders", "order_id", 4, "delete", 30 * DAY_MS, Order, "order service")
PAYMENTS = Topic("payments", "card_id", 4, "delete", 30 * DAY_MS, Payment, "payment service")
FRAUD_RULESETS = Topic("fraud-rulesets", "version", 1, "delete", FOREVER_MS, Ruleset, "fraud analysts")
FRAUD_ALERTS = Topic("fraud-alerts", "card_id", 4, "delete", 90 * DAY_MS, FraudAlert, "fraud_detection job")
SHADOW_HITS = Topic("fraud-shadow-hits", "card_id", 1, "delete", 7 * DAY_MS, ShadowHit, "fraud_detection job")
LATE_PAYMENTS = Topic("late-payments", "source_key", 1, "delete", 90 * DAY_MS, DeadLetter, "fraud_detection job")
DEAD_LETTERS = Topic("dead-letters", "source_key", 4, "delete", 90 * DAY_MS, DeadLetter, "whoever owns source_topic")
# The last of each key is kept for ever: what is remembered must outlive the letter, or it would be sent twice.
DEAD_LETTER_REPLAYS = Topic(
    "dead-letter-replays", "letter_id", 1, "compact", FOREVER_MS, DeadLetterReplay, "ops dead-letters"
)
# All row versions are kept, not just the last of each key: an order of last year is joined with what was valid then.
CUSTOMER_CHANGES = Topic("db-changes.customers", "customer_id", 4, "delete", FOREVER_MS, CustomerVersion, "shop")
PRODUCT_CHANGES = Topic("db-changes.products", "product_id", 4, "delete", FOREVER_MS, ProductVersion, "shop")
CAPTURE_HEARTBEATS = Topic("db-changes.heartbeats", "connector", 1, "delete", DAY_MS, CaptureHeartbeat, "shop")
ENRICHED_ORDERS = Topic("enriched-orders", "order_id", 4, "delete", 90 * DAY_MS, EnrichedOrder, "order_enrichment job")
NOTIFICATIONS = Topic("notifications", "recipient", 4, "delete", 30 * DAY_MS, Notification, "notifications job")
REVENUE = Topic("revenue-per-minute", "category", 1, "delete", 90 * DAY_MS, CategoryRevenue, "revenue pipeline")
TOP_PRODUCTS = Topic("top-products", "event_id", 1, "delete", 90 * DAY_MS, TopProduct, "top_products pipeline")
UNPAID_ORDERS = Topic("unpaid-orders", "order_id", 1, "delete", 30 * DAY_MS, UnpaidOrder, "unpaid_orders pipeline")
DECLINED_RATES = Topic("declined-rates", "country", 1, "delete", 30 * DAY_MS, DeclinedRate, "declined_rates pipeline")

TOPICS = (
    ORDERS,
    PAYMENTS,
    CUSTOMER_CHANGES,
    PRODUCT_CHANGES,
    CAPTURE_HEARTBEATS,
    FRAUD_RULESETS,
    FRAUD_ALERTS,
    SHADOW_HITS,
    ENRICHED_ORDERS,
    REVENUE,
    TOP_PRODUCTS,
    UNPAID_ORDERS,
    DECLINED_RATES,
    NOTIFICATIONS,
    LATE_PAYMENTS,
    DEAD_LETTERS,
    DEAD_LETTER_REPLAYS,
)


LETTER_TOPICS = (
    DEAD_LETTERS.name,
    *(each.name for each in TOPICS if each.event is DeadLetter and each != DEAD_LETTERS),
)
"""The topics that hold dead letters, the usual one first."""


def limit_variables() -> dict[str, str]:
    """Return what fills the limits in SQL files: of a record that is read or written, and of a producer."""
    return {
        "RECORD_BYTES": str(RECORD_BYTES),
        "REQUEST_BYTES": str(REQUEST_BYTES),
        "FUTURE_MS": str(_milliseconds(FUTURE_LIMIT - FUTURE_MARGIN)),
        "END_OF_TIME_MS": str(YEAR_9999_MS),
        "LETTER_TOPICS": ",".join(LETTER_TOPICS),
    }


def schema_variables() -> dict[str, str]:
    """What fills `${…_SCHEMA}` in SQL files: all that a table's format is to ask of the topic's records."""
    return {topic.schema_variable: rules_text(topic.event) for topic in TOPICS}


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
