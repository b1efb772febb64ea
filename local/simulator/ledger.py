"""Ledger of what was sent, for the checks: one JSON line per record, then a summary."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import msgspec

from events import Order
from local.simulator.ledger_file import LedgerFile, read_lines
from local.simulator.outgoing import BAD, Outgoing
from local.simulator.publisher import Receipt

REFUSED, FAILED = "refused", "failed"


class LedgerRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="record"):
    """One record that was sent."""

    topic: str
    partition: int | None
    """Partition; null, like the offset, if the record was refused or failed."""
    offset: int | None
    key: str
    event_id: str | None
    """Id of the event; null, like the other ids, for a bad record."""
    payment_id: str | None
    order_id: str | None
    event_time: int
    """Timestamp of the record, in UTC milliseconds."""
    kind: str
    """`good`, `duplicate`, `late`, `bad:<kind>`; `refused`: rejected by the broker; `failed`: the outcome is
    unknown."""
    pattern: str | None
    """Fraud pattern that the record belongs to."""
    incident_id: str | None
    sent_at: int
    """Time of sending by the wall clock, in milliseconds."""
    error: str | None
    """Why the record was refused or failed."""
    order: Order | None = None
    """The order, if the record is one."""


class LedgerSummary(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="summary"):
    """The last line of a run."""

    started_at: int
    """Start of the run by the wall clock, in milliseconds."""
    ended_at: int
    complete: bool
    """False if the run was stopped early or something failed."""
    kinds: dict[str, int]
    """Number of records by kind."""
    incidents: dict[str, int]
    """Number of incidents by fraud pattern."""


_LINES = msgspec.json.Decoder(LedgerRecord | LedgerSummary)


@dataclass(frozen=True)
class Incident:
    """One planted fraud."""

    incident_id: str
    pattern: str
    card_id: str
    payment_ids: tuple[str, ...]
    """Ids of its payments, in order of event time."""


@dataclass(frozen=True)
class LedgerContent:
    """Content of a ledger."""

    records: tuple[LedgerRecord, ...]
    summary: LedgerSummary | None
    """Summary; None if the service was killed."""

    def of_topic(self, topic: str) -> "LedgerContent":
        """Return the content without the records of other topics."""
        return LedgerContent(tuple(record for record in self.records if record.topic == topic), self.summary)

    @cached_property
    def kinds(self) -> Counter[str]:
        """Number of records by kind."""
        return Counter(record.kind for record in self.records)

    @cached_property
    def arrived(self) -> tuple[LedgerRecord, ...]:
        """The records that are in Kafka: all but refused and failed ones."""
        return tuple(record for record in self.records if record.offset is not None)

    @cached_property
    def payment_ids(self) -> frozenset[str]:
        """Ids of all payments that are in Kafka."""
        return frozenset(record.payment_id for record in self.arrived if record.payment_id is not None)

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """All orders that are in Kafka, duplicates included, in the order in which they were sent."""
        return tuple(record.order for record in self.arrived if record.order is not None)

    @cached_property
    def bad_records(self) -> dict[tuple[str, int, int], str]:
        """Kind of bad record by topic, partition and offset."""
        return {
            (record.topic, record.partition, record.offset): record.kind.removeprefix(f"{BAD}:")
            for record in self.arrived
            if record.kind.startswith(BAD) and record.partition is not None and record.offset is not None
        }

    @cached_property
    def incidents(self) -> dict[str, Incident]:
        """Planted fraud by incident id."""
        members: dict[str, list[LedgerRecord]] = {}
        for record in sorted(self.arrived, key=lambda record: (record.event_time, record.payment_id or "")):
            if record.incident_id is not None:
                members.setdefault(record.incident_id, []).append(record)
        return {
            incident_id: Incident(
                incident_id,
                records[0].pattern or "",
                records[0].key,
                tuple(dict.fromkeys(record.payment_id for record in records if record.payment_id is not None)),
            )
            for incident_id, records in members.items()
        }

    @cached_property
    def defrauded_cards(self) -> frozenset[str]:
        """Cards with planted fraud."""
        return frozenset(incident.card_id for incident in self.incidents.values())


class Ledger:
    """The ledger of one run while it is written; safe to call from the client's threads."""

    def __init__(self, path: Path) -> None:
        self._file = LedgerFile(path)
        self._lock = Lock()
        self._kinds: Counter[str] = Counter()
        self._incidents: dict[str, str] = {}

    def write(self, outgoing: Outgoing, receipt: Receipt) -> None:
        """Record the outcome of sending a record."""
        record = _record(outgoing, receipt)
        with self._lock:
            self._kinds[record.kind] += 1
            if outgoing.incident_id is not None and outgoing.pattern is not None:
                self._incidents[outgoing.incident_id] = outgoing.pattern
            self._file.write(record)

    def flush(self) -> None:
        """Flush the file, so that other processes see what was written."""
        with self._lock:
            self._file.flush()

    def finish(self, started_at: int, ended_at: int, complete: bool) -> LedgerSummary:
        """Write the last line and close the file."""
        with self._lock:
            incidents = Counter(self._incidents.values())
            summary = LedgerSummary(
                started_at=started_at,
                ended_at=ended_at,
                complete=complete,
                kinds=dict(sorted(self._kinds.items())),
                incidents=dict(sorted(incidents.items())),
            )
            self._file.write(summary)
            self._file.close()
        return summary

    @staticmethod
    def read(path: Path) -> LedgerContent:
        """Read a ledger, also one whose service was killed: an incomplete last line is left out.

        Raises:
            LedgerError: another line can't be read.
        """
        lines = list(read_lines(path, _LINES))
        records = tuple(line for line in lines if isinstance(line, LedgerRecord))
        summary = next((line for line in lines if isinstance(line, LedgerSummary)), None)
        return LedgerContent(records, summary)


def _record(outgoing: Outgoing, receipt: Receipt) -> LedgerRecord:
    event = outgoing.event
    kind = REFUSED if receipt.refusal else FAILED if receipt.failure else outgoing.kind
    return LedgerRecord(
        topic=outgoing.topic.name,
        partition=receipt.partition,
        offset=receipt.offset,
        key=outgoing.key.decode(),
        event_id=event.event_id if event else None,
        payment_id=getattr(event, "payment_id", None),
        order_id=getattr(event, "order_id", None),
        event_time=outgoing.timestamp_ms,
        kind=kind,
        pattern=outgoing.pattern,
        incident_id=outgoing.incident_id,
        sent_at=receipt.sent_at_ms,
        error=receipt.refusal or receipt.failure,
        order=event if isinstance(event, Order) else None,
    )
