"""The warehouse job on a mini-cluster: records from files, rows into a real PostgreSQL."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pyflink.table import StreamTableEnvironment

from connectors import topics
from connectors.settings import Settings
from connectors.topics import Topic
from events import DeadLetter, Event
from jobs import warehouse
from jobs.environment import variables
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import create_table, record

SOURCES = {
    "db_changes_customers": topics.CUSTOMER_CHANGES,
    "db_changes_products": topics.PRODUCT_CHANGES,
    "enriched_orders": topics.ENRICHED_ORDERS,
    "payments": topics.PAYMENTS,
    "fraud_alerts": topics.FRAUD_ALERTS,
    "revenue_per_minute": topics.REVENUE,
}


class Loader:
    """Runs the job on bounded input, into the warehouse of some settings."""

    def __init__(self, cluster: MiniCluster, settings: Settings, folder: Path) -> None:
        """Each job has a folder in `folder`."""
        self._cluster = cluster
        self._settings = settings
        self._folder = folder
        self._jobs = 0

    def load(self, *events: Event, records: Mapping[Topic, Sequence[Record]] | None = None) -> list[DeadLetter]:
        """Load events and other records, and return what couldn't be."""
        self._jobs += 1
        folder = self._folder / str(self._jobs)
        self.defined(folder, events, records or {}).execute().wait()
        return [msgspec.json.decode(each.value or b"", type=DeadLetter) for each in read_records(folder / "out")]

    def defined(self, folder: Path, events: Sequence[Event], records: Mapping[Topic, Sequence[Record]]) -> Any:
        """The job's statement set."""
        tables = StreamTableEnvironment.create(self._cluster.environment({"parallelism.default": "1"}))
        for name, topic in SOURCES.items():
            of_topic = [record(topic, event) for event in events if isinstance(event, topic.event)]
            create_table(tables, name, write_records(folder / name, [*of_topic, *records.get(topic, ())]))
        create_table(tables, warehouse.DEAD_LETTERS, folder / "out")
        warehouse.create_sinks(tables, variables("test", self._settings))
        return warehouse.define(tables)
