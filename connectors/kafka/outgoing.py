"""Writes events that Python has encoded to their topics: one stream and one sink, each row names its topic."""

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import DataStream
from pyflink.table import StreamTableEnvironment

from connectors.kafka.topics import Topic
from events import Event

OUTGOING = Types.ROW_NAMED(
    ["topic", "record_key", "record_value", "event_time_ms"],
    [Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.LONG()],
)
"""Row with the topic's name, the record's key, its value, and its timestamp (UTC milliseconds).

The timestamp is a column because the elements of a Python side output have none of their own.
"""

TABLE = "outgoing_events"


def outgoing(topic: Topic, key: bytes | None, event: Event) -> Row:
    """Return a row of `OUTGOING`. Kafka rejects timestamps before 1970, which a dead letter may have."""
    return Row(topic.name, key, msgspec.json.encode(event), max(0, event.event_time))


def publish(tables: StreamTableEnvironment, stream: DataStream) -> None:
    """Send `OUTGOING` rows to the table `outgoing_events` (`sql/tables/outgoing_events.sql`), as part of the job."""
    tables.create_temporary_view("encoded_events", stream)
    rows = tables.sql_query(
        "SELECT topic, record_key, record_value, TO_TIMESTAMP_LTZ(event_time_ms, 3) AS event_time FROM encoded_events"
    )
    statements = tables.create_statement_set()
    statements.add_insert(TABLE, rows)
    statements.attach_as_datastream()
