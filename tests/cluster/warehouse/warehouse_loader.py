"""The warehouse job on a mini-cluster: records from files, rows into a real PostgreSQL."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyflink.table import StatementSet, StreamTableEnvironment

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from connectors.settings import Settings
from events import DeadLetter, Event
from jobs import warehouse
from jobs.environment import create_tables, variables
from tests.cluster.bounded_job import BoundedJob
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record

SOURCES = {
    "db_changes_customers": topics.CUSTOMER_CHANGES,
    "db_changes_products": topics.PRODUCT_CHANGES,
    "enriched_orders": topics.ENRICHED_ORDERS,
    "payments": topics.PAYMENTS,
    "fraud_alerts": topics.FRAUD_ALERTS,
    "revenue_per_minute": topics.REVENUE,
}


class Loader(BoundedJob):
    """The warehouse job on bounded input, into the warehouse of some settings."""

    def __init__(self, cluster: MiniCluster, settings: Settings, folder: Path) -> None:
        """Prepare the job; each run gets a folder in `folder`."""

        def define(tables: StreamTableEnvironment) -> StatementSet:
            create_tables(tables, warehouse.SINKS, variables("test", settings))
            return warehouse.define(tables)

        super().__init__(cluster, folder, SOURCES, define)

    def load(self, *events: Event, records: Mapping[Topic, Sequence[Record]] | None = None) -> list[DeadLetter]:
        """Load events and other records, and return the dead letters."""
        return self.run(*events, records=records)
