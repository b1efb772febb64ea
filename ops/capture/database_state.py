"""State of the shop's database as far as capture depends on it, read at one moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connectors.postgres.captured_tables import CapturedTable

OPERATIONS = ("insert", "update", "delete", "truncate")
"""Operations that the publication must contain."""


@dataclass(frozen=True)
class RealColumn:
    """A column as it is in the database."""

    name: str
    type: str
    base: str
    """Type of its values, without length or domain: `enum`, `array`, or PostgreSQL's name for it."""
    is_nullable: bool
    is_generated: bool
    """Whether it is computed from other columns, so that the server doesn't publish it."""
    identity: str
    """Changes if the column or its type was replaced or the table rewritten, which may change values without events."""
    namesakes: tuple[str, ...] = ()
    """Other types that Debezium 3.6 may confuse with the column's, because it looks types up by name.

    It looks in the schema of the table first, be it the shop's table or the relay, and then takes the type that the
    server lists first, which is a built-in one if there is one.
    """


@dataclass(frozen=True)
class Published:
    """Published part of a table."""

    columns: frozenset[str]
    row_filter: str
    """Condition that rows must fulfil to be published; empty if there is none."""
    identity: str
    """Changes with each change of what is published, even if that was reverted."""


@dataclass(frozen=True)
class Reading:
    """Progress of reading existing rows into the stream."""

    read_from: frozenset[str]
    """Identities of the columns that were read, and of what was published at that time."""
    rows: int
    finished_at: datetime | None


@dataclass(frozen=True)
class RealTable:
    """A captured table as it is in the database."""

    columns: tuple[RealColumn, ...]
    primary_key: tuple[str, ...]
    unique_columns: frozenset[str]
    """Columns that are unique on their own."""
    what: Literal["table", "partitioned table", "other"]
    partitions: tuple[str, ...]
    """Names of a partitioned table's partitions."""
    heirs: tuple[str, ...]
    """Tables that inherit from it: their rows count as its rows but aren't published as such."""
    is_logged: bool
    """Whether changes of it, and of all its partitions, are in the log."""
    is_ours: bool
    """Whether our role has the rights of its owner."""
    hides_rows: bool
    """Whether row-level security may hide rows even from its owner."""
    is_identified_by_all: bool
    """Whether it and its partitions have REPLICA IDENTITY FULL: a change contains the whole row as it was before."""
    guards: frozenset[str]
    """Names of the triggers that are enabled, on its partitions too."""
    published: Published | None
    """Published part of it; None if it isn't in the publication."""
    relay: Published | None
    """Published part of its relay, through which its rows are read."""
    reading: Reading | None


@dataclass(frozen=True)
class Publication:
    """Properties of the publication that apply to all its tables."""

    operations: frozenset[str]
    is_of_all_tables: bool
    publishes_partitions: bool
    """Whether a change of a partition is published as the partition's own, not as the table's."""


@dataclass(frozen=True)
class Server:
    """Settings of the server, and rights of our role in the database."""

    wal_level: str
    free_slots: int
    free_senders: int
    """Number of WAL senders that further clients can take; a connector takes one while it reads."""
    may_replicate: bool
    may_create: bool
    odd_enums: tuple[str, ...]
    """Types that count as enums and have no labels of their own: if one exists, Debezium 3.6 can't start."""
    foreign: tuple[str, ...]
    """Objects with our names that belong to another role or are of another kind."""


@dataclass(frozen=True)
class Slot:
    """State of the replication slot."""

    is_active: bool
    """Whether a connector reads it now."""
    is_lost: bool
    """Whether the server has removed parts of the log that it still had to send."""
    retained_bytes: int
    unread_bytes: int
    limit: str
    """Maximum that is retained, in the notation of the server's setting; -1 is no limit."""


@dataclass(frozen=True)
class CaptureDatabase:
    """Current state of the shop's database."""

    tables: dict[str, RealTable]
    """Captured tables by name; those that don't exist are missing."""
    publication: Publication | None
    slot: Slot | None
    server: Server
    is_being_applied: bool
    """Whether `cdc apply` is running now."""
    now: datetime


def captured_columns(table: CapturedTable, columns: tuple[RealColumn, ...]) -> tuple[RealColumn, ...]:
    """Return the columns of a table that are captured."""
    declared = {column.name for column in table.columns}
    return tuple(column for column in columns if column.name in declared and not column.is_generated)
