"""The data flow: its programs, and the topics that each of them reads and writes."""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings


@dataclass(frozen=True)
class Program:
    """One program of the data flow."""

    name: str
    """Its name; of a consumer also the name of its group, after the prefix."""
    reads: tuple[Topic, ...] = ()
    """Topics that it reads with its own consumer group; none for a producer whose input is no topic."""
    writes: tuple[Topic, ...] = ()
    """Topics that it writes, besides dead letters."""
    fills: str = ""
    """What it writes that is no topic."""
    target: str = ""
    """Where it writes that."""

    def group(self, settings: Settings) -> str:
        """Return the name of its consumer group."""
        return f"{settings.consumer_group_prefix}.{self.name}"


CHANGES = (topics.CUSTOMER_CHANGES, topics.PRODUCT_CHANGES)

ORDER_SERVICE = Program("order_service", writes=(topics.ORDERS,))
PAYMENT_SERVICE = Program("payment_service", writes=(topics.PAYMENTS,))
CAPTURE = Program("shop, captured", writes=CHANGES)
FRAUD_DETECTION = Program(
    "fraud_detection",
    reads=(topics.PAYMENTS,),
    writes=(topics.FRAUD_ALERTS, topics.SHADOW_HITS, topics.LATE_PAYMENTS),
)
ORDER_ENRICHMENT = Program("order_enrichment", reads=(topics.ORDERS, *CHANGES), writes=(topics.ENRICHED_ORDERS,))
REVENUE = Program("revenue_per_minute", reads=(topics.ENRICHED_ORDERS,), writes=(topics.REVENUE,))
WAREHOUSE = Program(
    "warehouse",
    reads=(topics.PAYMENTS, *CHANGES, topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS, topics.REVENUE),
    fills="rows",
    target="PostgreSQL",
)
SEARCH_INDEX = Program(
    "search_index", reads=(topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS), fills="documents", target="Elasticsearch"
)
NOTIFICATIONS = Program(
    "notifications",
    reads=(topics.ENRICHED_ORDERS, topics.FRAUD_ALERTS, topics.CUSTOMER_CHANGES),
    writes=(topics.NOTIFICATIONS,),
)
NOTIFIER = Program("notifier", reads=(topics.NOTIFICATIONS,), fills="mails", target="mail server")

PRODUCERS = (ORDER_SERVICE, PAYMENT_SERVICE, CAPTURE)
JOBS = (FRAUD_DETECTION, ORDER_ENRICHMENT, SEARCH_INDEX, NOTIFICATIONS, WAREHOUSE)
PIPELINES = (REVENUE,)
PROGRAMS = (*PRODUCERS, FRAUD_DETECTION, ORDER_ENRICHMENT, REVENUE, SEARCH_INDEX, NOTIFICATIONS, NOTIFIER, WAREHOUSE)
"""All programs, each after those whose topics it reads."""


def consumers(programs: Iterable[Program] = PROGRAMS) -> list[Program]:
    """Return the programs that read topics, each with its own group."""
    return [program for program in programs if program.reads]
