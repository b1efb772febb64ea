"""The notifications job over files: its sources, and its output as whole events."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

import sql
from connectors.kafka import topics
from connectors.kafka.outgoing import publish
from connectors.settings import Settings
from events import Event
from jobs import notifications
from jobs.environment import variables
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import create_table, declaration, over_files, producer_options, record
from udfs.notifications.notification_policy import Policy

TOPICS = {
    "fraud_alerts": topics.FRAUD_ALERTS,
    "enriched_orders": topics.ENRICHED_ORDERS,
    "db_changes_customers": topics.CUSTOMER_CHANGES,
}
PARTITIONS = 2

_CLOCK_THAT_ENDS = """
    CREATE TEMPORARY TABLE clock
    WITH ('connector' = 'datagen', 'number-of-rows' = '1', 'scan.parallelism' = '1', 'fields.tick.min' = '0')
    LIKE clock (EXCLUDING OPTIONS)
"""
_SENT = """
    CREATE TEMPORARY TABLE outgoing_events (
        topic STRING,
        record_key BYTES,
        record_value BYTES,
        event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
    ) WITH (
        'connector' = 'records',
        'path' = '{path}',
        'topic' = 'sent',
        'key.format' = 'raw',
        'key.fields' = 'record_key',
        'value.format' = 'json',
        'value.fields-include' = 'EXCEPT_KEY',
        {producer}
    )
"""


class _Sent(msgspec.Struct):
    topic: str
    record_value: bytes


def as_records(events: Iterable[Event]) -> dict[str, list[Record]]:
    """Return the records of each table, in the order given; a key's partition is always the same."""
    tables = {topic.event: table for table, topic in TOPICS.items()}
    records: dict[str, list[Record]] = {table: [] for table in TOPICS}
    for event in events:
        topic = TOPICS[table := tables[type(event)]]
        records[table].append(record(topic, event, partition=sum(str(getattr(event, topic.key)).encode()) % PARTITIONS))
    return records


def write(folder: Path, records: Mapping[str, Sequence[Record]]) -> Path:
    """Append the records of each table to those that are there."""
    for table in TOPICS:
        write_records(folder / table, records.get(table, ()), PARTITIONS)
    return folder


def define(
    environment: StreamExecutionEnvironment,
    folder: Path,
    policy: Policy,
    *,
    stay_open: bool = False,
    every_record: bool = True,
) -> None:
    """Define the job over the records of a folder; the clock ticks once unless the sources stay open.

    Args:
        every_record: make a watermark after each record, not every 200 ms as Kafka's source does.
    """
    tables = StreamTableEnvironment.create(environment)
    filled = variables("test", Settings()) | {"OUTGOING_TOPICS": "sent"}
    for table in TOPICS:
        create_table(tables, table, folder / table, stay_open)
        if not every_record:
            tables.execute_sql(f"DROP TEMPORARY TABLE {table}")
            shadow = over_files(table, declaration(table, filled), folder / table)
            tables.execute_sql(shadow.replace("on-event", "on-periodic"))
    tables.execute_sql(sql.read("tables/clock.sql", filled))
    if not stay_open:
        tables.execute_sql(_CLOCK_THAT_ENDS)
    outgoing = producer_options(declaration("outgoing_events", filled))
    producer = ", ".join(f"'{key}' = '{value}'" for key, value in outgoing.items())
    tables.execute_sql(_SENT.format(path=folder / "sent", producer=producer))
    publish(tables, notifications.define(tables, policy))


def sent(folder: Path) -> list[Any]:
    """Return the events that the job has emitted."""
    types = {topic.name: topic.event for topic in topics.TOPICS}
    rows = [msgspec.json.decode(each.value or b"", type=_Sent) for each in read_records(folder / "sent")]
    return [msgspec.json.decode(row.record_value, type=types[row.topic]) for row in rows]
