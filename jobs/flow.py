"""Which boxes does the picture have, and what does each of them read and write?"""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings


@dataclass(frozen=True)
class Box:
    """One program between topics."""

    name: str
    """Of a consumer also that of its group, behind the prefix."""
    reads: tuple[Topic, ...] = ()
    """With its own consumer group; none if it makes records of what is no topic."""
    writes: tuple[Topic, ...] = ()
    """Beside dead letters."""
    fills: str = ""
    """What it writes to that is no topic."""

    def group(self, settings: Settings) -> str:
        """Its consumer group."""
        return f"{settings.consumer_group_prefix}.{self.name}"


CHANGES = (topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES)

ORDER_SERVICE = Box("order_service", writes=(topics.ORDERS,))
PAYMENT_SERVICE = Box("payment_service", writes=(topics.PAYMENTS,))
CAPTURE = Box("shop, captured", writes=CHANGES)
FRAUD_DETECTION = Box(
    "fraud_detection",
    reads=(topics.PAYMENTS,),
    writes=(topics.FRAUD_ALERTS, topics.SHADOW_HITS, topics.LATE_PAYMENTS),
)
ORDER_ENRICHMENT = Box("order_enrichment", reads=(topics.ORDERS, *CHANGES), writes=(topics.ENRICHED_ORDERS,))
REVENUE = Box("revenue_per_minute", reads=(topics.ENRICHED_ORDERS,), writes=(topics.REVENUE,))
WAREHOUSE = Box(
    "warehouse",
    reads=(topics.PAYMENTS, *CHANGES, topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS, topics.REVENUE),
    fills="rows",
)
SEARCH_INDEX = Box("search_index", reads=(topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS), fills="documents")
NOTIFICATIONS = Box(
    "notifications",
    reads=(topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS, topics.CUSTOMER_CHANGES),
    writes=(topics.NOTIFICATIONS,),
)
NOTIFIER = Box("notifier", reads=(topics.NOTIFICATIONS,), fills="mails")

PRODUCERS = (ORDER_SERVICE, PAYMENT_SERVICE, CAPTURE)
JOBS = (FRAUD_DETECTION, ORDER_ENRICHMENT, SEARCH_INDEX, NOTIFICATIONS, WAREHOUSE)
PIPELINES = (REVENUE,)
BOXES = (*PRODUCERS, FRAUD_DETECTION, ORDER_ENRICHMENT, REVENUE, SEARCH_INDEX, NOTIFICATIONS, NOTIFIER, WAREHOUSE)
"""Each behind those whose topics it reads."""


def consumers(boxes: Iterable[Box] = BOXES) -> list[Box]:
    """Those that read topics, each with its own group."""
    return [box for box in boxes if box.reads]
