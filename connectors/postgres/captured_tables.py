"""Captured tables of the shop's database: their columns, topics, and the connector's configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from connectors.kafka.topics import CAPTURE_HEARTBEATS, CUSTOMER_CHANGES, PRODUCT_CHANGES, Topic
from connectors.settings import Settings
from events import RowVersion

CONNECTOR = "shop"
"""Name of the connector in Kafka Connect."""
SLOT = "millrace_shop"
"""Name of the replication slot, which marks how far the write-ahead log was captured."""
PUBLICATION = "millrace_shop"
OWN_SCHEMA = "millrace"
"""Schema in the shop's database for the tables and functions that capture itself needs."""
HEARTBEAT_SECONDS = 1
"""Interval of heartbeats; orders wait for the next one, so it is the delay that capture adds."""

Kind = Literal["text", "integer", "number", "boolean"]
"""Kind of a value in JSON, which decides which fields can hold it."""

BECOMES: Mapping[str, Kind] = {
    **dict.fromkeys(("text", "character varying", "character", '"char"', "citext", "uuid", "enum"), "text"),
    **dict.fromkeys(("numeric", "money", "bytea", "json", "jsonb", "hstore", "xml", "tsvector"), "text"),
    **dict.fromkeys(("date", "interval", "time without time zone", "time with time zone"), "text"),
    **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), "text"),
    **dict.fromkeys(("inet", "cidr", "macaddr", "macaddr8"), "text"),
    **dict.fromkeys(("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"), "text"),
    **dict.fromkeys(("smallint", "integer", "bigint", "oid"), "integer"),
    **dict.fromkeys(("real", "double precision"), "number"),
    **dict.fromkeys(("boolean", "bit(1)"), "boolean"),
}
"""JSON kind of the values of a PostgreSQL type; values of a type that isn't listed fit into no field.

A domain counts as its base type. Every row of the table in docs/change-data.md is tested.
"""

KEY_TYPES = frozenset(
    {"text", "character varying", "character", "citext", "uuid", "enum", "smallint", "integer", "bigint"}
)
"""Types that a key may have: rows can be read in their order, and their text is the same in the database and in
events."""

_HOLDS: Mapping[type[inspect.Type], tuple[Kind, ...]] = {
    inspect.StrType: ("text",),
    inspect.IntType: ("integer",),
    inspect.FloatType: ("number", "integer"),
    inspect.BoolType: ("boolean",),
}


@dataclass(frozen=True)
class Column:
    """A column that is captured: a field of the event."""

    name: str
    kinds: tuple[Kind, ...]
    """JSON kinds that its values may have; the first is the field's own."""
    is_required: bool
    """Whether the event requires the field."""
    is_nullable: bool
    """Whether the field can be null."""


@dataclass(frozen=True)
class CapturedTable:
    """A table whose row changes each become an event of a topic."""

    name: str
    """Name with schema, `schema.table`."""
    topic: Topic
    relay: str = ""
    """Relay table through which existing rows are read into the stream; empty if that isn't needed."""

    @property
    def primary_key(self) -> str:
        """Column that the topic is keyed by."""
        return self.topic.key

    @property
    def columns(self) -> tuple[Column, ...]:
        """Captured columns: the event's fields except those that describe the change of the row."""
        ours = {field.name for field in msgspec.structs.fields(RowVersion)}
        declared = inspect.type_info(self.topic.event)
        assert isinstance(declared, inspect.StructType)
        return tuple(
            Column(field.name, _kinds(self.topic, field), field.required, _is_nullable(field.type))
            for field in declared.fields
            if field.name not in ours | {"event_type"}
        )

    @property
    def event_type(self) -> str:
        """The only value of the event's field `event_type`."""
        field = next(each for each in msgspec.structs.fields(self.topic.event) if each.name == "event_type")
        assert isinstance(field.default, str)
        return field.default


CUSTOMERS = CapturedTable("shop.customers", CUSTOMER_CHANGES, f"{OWN_SCHEMA}.customers_read")
PRODUCTS = CapturedTable("shop.products", PRODUCT_CHANGES, f"{OWN_SCHEMA}.products_read")
HEARTBEATS = CapturedTable(f"{OWN_SCHEMA}.heartbeats", CAPTURE_HEARTBEATS)

SHOP_TABLES = (CUSTOMERS, PRODUCTS)
CAPTURED = (*SHOP_TABLES, HEARTBEATS)

BEAT = (
    f"INSERT INTO {HEARTBEATS.name} (connector, beats) VALUES ('{CONNECTOR}', 1) "
    "ON CONFLICT (connector) DO UPDATE SET beats = heartbeats.beats + 1"
)
"""Statement that changes the row of the heartbeats."""


def published_tables() -> dict[str, tuple[str, ...]]:
    """Return every table that the connector reads, with its columns: the captured tables, and their relays.

    A row of a relay has `op`, what to report of a row (r, it exists; d, it is gone), and the row.
    """
    columns = {table: tuple(column.name for column in table.columns) for table in CAPTURED}
    relays = {table.relay: ("op", *columns[table]) for table in SHOP_TABLES}
    return {table.name: columns[table] for table in CAPTURED} | relays


def connector_config(settings: Settings) -> dict[str, str]:
    """Return the configuration of `CONNECTOR`; user and password are in Connect's environment, not in it."""
    database = urlsplit(settings.shop_database_url)
    tables = published_tables()
    return {
        "connector.class": "millrace.changes.WholeTransactions",
        "tasks.max": "1",
        "database.hostname": database.hostname or "",
        "database.port": str(database.port or 5432),
        "database.dbname": database.path.removeprefix("/"),
        "database.user": "${env:MILLRACE_SHOP_DATABASE_USER}",
        "database.password": "${env:MILLRACE_SHOP_DATABASE_PASSWORD}",
        "plugin.name": "pgoutput",
        "slot.name": SLOT,
        "publication.name": PUBLICATION,
        "publication.autocreate.mode": "disabled",
        "topic.prefix": CONNECTOR,
        "table.include.list": ",".join(map(re.escape, tables)),
        "column.include.list": ",".join(_columns_pattern(name, columns) for name, columns in tables.items()),
        # Events are keyed like their topic, whatever the database's primary key is.
        "message.key.columns": ";".join(f"{re.escape(table.name)}:{table.primary_key}" for table in CAPTURED),
        # Messages that programs write into the log for others are no changes of rows.
        "message.prefix.exclude.list": ".*",
        # Existing rows are read through relay tables: a snapshot by Debezium has the time at which it reads a row, so
        # that a change meanwhile would count as the older version.
        "snapshot.mode": "no_data",
        # Without this a TRUNCATE would leave no trace.
        "skipped.operations": "none",
        "tombstones.on.delete": "false",
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "interval.handling.mode": "string",
        "binary.handling.mode": "base64",
        "heartbeat.interval.ms": str(HEARTBEAT_SECONDS * 1000),
        "heartbeat.action.query": BEAT,
        "poll.interval.ms": "100",
        "retriable.restart.connector.wait.ms": "2000",
        "exactly.once.support": "required",
        # One poll returns whole transactions of the database; the connector must be informed of their ends for that.
        "transaction.boundary": "poll",
        "provide.transaction.metadata": "true",
        # A killed worker's transaction delays readers for this long; with the default, a restart can take a minute.
        "producer.override.transaction.timeout.ms": "10000",
        # What can't be converted or sent stops the connector: continuing would lose it.
        "errors.tolerance": "none",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "transforms": "rowVersion",
        "transforms.rowVersion.type": "millrace.changes.RowVersion",
        "transforms.rowVersion.tables": ",".join(map(_declaration, CAPTURED)),
    }


def _kinds(topic: Topic, field: inspect.Field) -> tuple[Kind, ...]:
    types = {type(each) for each in _alternatives(field.type)} - {inspect.NoneType}
    if len(types) != 1 or not types <= _HOLDS.keys():
        raise TypeError(
            f"{topic.event.__name__}.{field.name}: a column's field must be str, int, float or bool, perhaps with None"
        )
    return _HOLDS[types.pop()]


def _is_nullable(field: inspect.Type) -> bool:
    return any(isinstance(each, inspect.NoneType) for each in _alternatives(field))


def _alternatives(field: inspect.Type) -> tuple[inspect.Type, ...]:
    match field:
        case inspect.Metadata(type=inner):
            return _alternatives(inner)
        case inspect.UnionType(types=types):
            return tuple(inner for each in types for inner in _alternatives(each))
    return (field,)


def _columns_pattern(table: str, columns: tuple[str, ...]) -> str:
    return rf"{re.escape(table)}\.({'|'.join(columns)})"


def _declaration(table: CapturedTable) -> str:
    """Return the table's declaration for the transform."""
    return f"{table.name} {table.topic.name} {table.event_type} {table.primary_key} {table.relay}".rstrip()
