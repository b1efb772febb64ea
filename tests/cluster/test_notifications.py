"""The notifications job's topology on bounded input, held against the same decisions in a plain loop."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

import sql
from connectors import topics
from connectors.settings import Settings
from events import DeadLetter, Event
from jobs import notifications
from jobs.environment import variables
from tests.builders import customer, enriched_order, event_time, fraud_alert
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.topic_tables import create_table, record
from udfs import notification_policy

POLICY = notification_policy.parse(notification_policy.default_text())
TOPICS = {
    "fraud_alerts": topics.FRAUD_ALERTS,
    "enriched_orders": topics.ENRICHED_ORDERS,
    "db_changes_customers": topics.CUSTOMER_CHANGES,
}
CLOCK_THAT_ENDS = """
    CREATE TEMPORARY TABLE clock
    WITH ('connector' = 'datagen', 'number-of-rows' = '1', 'scan.parallelism' = '1', 'fields.tick.min' = '0')
    LIKE clock (EXCLUDING OPTIONS)
"""


def as_records(events: Iterable[Event]) -> dict[str, list[Record]]:
    """The records of each table, in the order given."""
    tables = {topic.event: table for table, topic in TOPICS.items()}
    records: dict[str, list[Record]] = {table: [] for table in TOPICS}
    for event in events:
        table = tables[type(event)]
        records[table].append(record(TOPICS[table], event))
    return records


def declare(tables: StreamTableEnvironment, folder: Path) -> None:
    """The job's sources, over the files of a folder."""
    for table in TOPICS:
        create_table(tables, table, write_records(folder / table, []))
    tables.execute_sql(sql.read("tables/clock.sql", variables("test", Settings())))
    tables.execute_sql(CLOCK_THAT_ENDS)


def run(tables: StreamTableEnvironment, folder: Path, records: Mapping[str, Sequence[Record]]) -> list[Any]:
    """Run the topology to the end of the records; the events it sent."""
    for table, of_table in records.items():
        write_records(folder / table, of_table)
    declare(tables, folder)
    types = {topic.name: topic.event for topic in topics.TOPICS}
    stream = notifications.define(tables, POLICY)
    # As text, since PyFlink can't collect a row with a missing array.
    with stream.map(lambda row: msgspec.json.encode(list(row)).decode(), Types.STRING()).execute_and_collect() as rows:
        sent = [msgspec.json.decode(row, type=tuple[str, bytes | None, bytes, int]) for row in rows]
    return [msgspec.json.decode(value, type=types[topic]) for topic, _, value, _ in sent]


POISON = Record(b'{"event_id": "torn', key=b"k", timestamp=event_time("12:00:00"), headers={"trace": b"t1"})
EVENTS = [
    customer("customer-1"),
    fraud_alert(),
    fraud_alert(),
    enriched_order(),
]


@pytest.fixture(scope="module")
def sent(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    tables = StreamTableEnvironment.create(cluster.environment())
    records = as_records(EVENTS)
    return run(tables, tmp_path_factory.mktemp("in"), {table: [*records[table], POISON] for table in records})


def test_a_record_of_any_source_that_does_not_decode_is_a_dead_letter_with_its_coordinates(sent: list[Any]) -> None:
    letters = {each.source_topic: each for each in sent if isinstance(each, DeadLetter)}

    assert set(letters) == {topic.name for topic in TOPICS.values()}
    for letter in letters.values():
        assert (letter.payload, letter.source_key, letter.source_headers) == (POISON.value, b"k", {"trace": b"t1"})
        assert (letter.rejected_by, letter.event_time) == ("notifications", POISON.timestamp)
