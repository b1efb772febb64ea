"""Topics, each declared once: its event, key, retention and owner."""

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
"""Kafka's value for a limit that isn't set."""
UNLIMITED_BYTES = -1

FUTURE_LIMIT = timedelta(minutes=5)
"""Brokers refuse a record whose timestamp is further ahead than this: it would advance the watermark too far."""

MESSAGE_BYTES = 1_048_588
"""Maximum size of a message for brokers, after compression: Kafka's default, so that no client needs a setting."""

REQUEST_BYTES = 1_048_576
"""Maximum size of a record for producers, before compression: Kafka's default."""

RECORD_BYTES = 1_000_000
"""Maximum size of key, value and headers of a record that a job writes. The rest up to the two limits above is for
Kafka's own fields, and for incompressible data, which compression makes a little larger."""

FUTURE_MARGIN = timedelta(minutes=1)
"""Tolerated difference between the clocks of TaskManagers and brokers: a job writes no timestamp nearer to the
limit."""

YEAR_9999_MS = 253_370_764_800_000
"""First millisecond of the year 9999, UTC: events must be earlier. PostgreSQL and Python read no times far beyond
it."""


@dataclass(frozen=True)
class Topic:
    """A Kafka topic and the event type of its values."""

    name: str
    key: str
    """Field of the event that is the record's key: same key, same partition, same order."""
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    """Retention in milliseconds; `FOREVER_MS` keeps everything."""
    event: type[Event]
    owner: str
    """Service, job or team that is responsible for the content."""

    @property
    def subject(self) -> str:
        """Name of the schema in the registry."""
        return f"{self.name}-value"

    @property
    def schema_variable(self) -> str:
        """Placeholder of its event's schema in SQL files, e.g. `${PAYMENTS_SCHEMA}`."""
        return f"{re.sub('[-.]', '_', self.name).upper()}_SCHEMA"

    def config(self) -> dict[str, str]:
        """Return the topic's configuration in Kafka's terms: every setting by which records can get lost or be refused.

        A broker's default for one of them may change at any time, so all are declared. Where records are stored, and
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
DEAD_LETTERS = Topic("dead-letters", "source_key", 4, "delete", 90 * DAY_MS, DeadLetter, "the owner of source_topic")
# The last record of each key is kept for ever: the mark must outlive the dead letter, or it would be sent twice.
DEAD_LETTER_REPLAYS = Topic(
    "dead-letter-replays", "letter_id", 1, "compact", FOREVER_MS, DeadLetterReplay, "ops dead-letters"
)
# All row versions are kept, not just the last of each key: an old order is joined with what was valid at its time.
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
"""Names of the topics that hold dead letters, the default one first."""


def limit_variables() -> dict[str, str]:
    """Return the values of the limits in SQL files: for records that are read or written, and for producers."""
    return {
        "RECORD_BYTES": str(RECORD_BYTES),
        "REQUEST_BYTES": str(REQUEST_BYTES),
        "FUTURE_MS": str(_milliseconds(FUTURE_LIMIT - FUTURE_MARGIN)),
        "END_OF_TIME_MS": str(YEAR_9999_MS),
        "LETTER_TOPICS": ",".join(LETTER_TOPICS),
    }


def schema_variables() -> dict[str, str]:
    """Return the values of `${…_SCHEMA}` in SQL files: the rules by which a table's format checks the topic's
    records."""
    return {topic.schema_variable: rules_text(topic.event) for topic in TOPICS}


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
