"""How do events that Python has encoded reach their topics? One stream, one sink, each row says its topic."""

from pyflink.common import Row, Types
from pyflink.datastream import DataStream
from pyflink.table import Schema, StreamTableEnvironment

from connectors.topics import Topic

OUTGOING = Types.ROW_NAMED(
    ["topic", "record_key", "record_value"],
    [Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.PRIMITIVE_ARRAY(Types.BYTE())],
)
"""Which topic, and the record's key and value; the record's timestamp is the stream element's."""

TABLE = "outgoing_events"


def outgoing(topic: Topic, key: bytes | None, value: bytes) -> Row:
    """A row of `OUTGOING`."""
    return Row(topic.name, key, value)


def publish(tables: StreamTableEnvironment, stream: DataStream) -> None:
    """Send `OUTGOING` rows to the table `outgoing_events` (`sql/tables/outgoing_events.sql`), as part of the job."""
    schema = (
        Schema.new_builder()
        .column("topic", "STRING")
        .column("record_key", "BYTES")
        .column("record_value", "BYTES")
        .column_by_metadata("event_time", "TIMESTAMP_LTZ(3)", "rowtime")
        .build()
    )
    statements = tables.create_statement_set()
    statements.add_insert(TABLE, tables.from_data_stream(stream, schema))
    statements.attach_as_datastream()
