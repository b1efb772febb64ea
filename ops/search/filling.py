"""Writes the records of a topic into an index that is being rebuilt, and counts those that can't become documents."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jsonschema_rs
import msgspec
from elasticsearch import Elasticsearch

from connectors.elasticsearch.bulk_index import BulkIndex
from connectors.elasticsearch.documents import Action, NoDocumentError, action
from connectors.kafka.reading import TopicReader
from connectors.outage import Report
from connectors.settings import Settings
from events.schemas import schema
from ops.masking import MASK, shown, shown_reason
from ops.search.indices import Declared

SECONDS_BETWEEN_REPORTS = 2.0
REASON_LENGTH = 300
NAMED = 10
"""Maximum number of bad records and missing documents that are named; all are counted."""


@dataclass
class Outcome:
    """Result of a rebuild."""

    index: str
    records: int = 0
    bad: int = 0
    """Number of records that can't become documents."""
    named: list[str] = field(default_factory=list)
    """Coordinates and reasons of the first of them."""
    lost: list[str] = field(default_factory=list)
    """Ids of documents that only the old index had."""


@dataclass(frozen=True)
class Work:
    """A rebuild's target, servers and progress output."""

    settings: Settings
    elasticsearch: Elasticsearch
    wanted: Declared
    report: Report


class Filling:
    """Writes the records of a topic to an alias."""

    def __init__(self, work: Work, alias: str, reader: TopicReader, outcome: Outcome) -> None:
        self.deleted: set[str] = set()
        self._alias = alias
        self._topic = work.wanted.index.topic.name
        self._good = jsonschema_rs.validator_for(schema(work.wanted.index.topic.event), mask=MASK)
        self._bulk = BulkIndex(work.settings)
        self._reader = reader
        self._outcome = outcome
        self._report = work.report

    def run(self, what: str) -> float:
        """Write records up to the current end of the topic; return the duration in seconds."""
        ends = self._reader.ends()
        total, began = self._reader.missing(ends), time.monotonic()
        reported, before = began, self._outcome.records
        for records in self._reader.read_to(ends):
            self._write(records)
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                rate = (self._outcome.records - before) / (reported - began)
                left = self._reader.missing(ends)
                share = f"{100 * (total - left) // total}%"
                self._report(
                    f"{what}: {self._outcome.records:,} records ({share}), {rate:,.0f} a second, "
                    f"about {left / rate:.0f} s to go"
                )
        seconds = time.monotonic() - began
        self._report(f"{what}: {self._outcome.records - before:,} records of {self._topic} in {seconds:.1f} s")
        return seconds

    def close(self) -> None:
        self._bulk.close()

    def _write(self, records: Sequence[Any]) -> None:
        actions, of = [], []
        for record in records:
            self._outcome.records += 1
            try:
                asked = self._action(record)
            except (NoDocumentError, msgspec.DecodeError) as error:
                self._count_bad(record, str(error))
                continue
            except jsonschema_rs.ValidationError as error:
                place = ".".join(map(str, error.instance_path)) or "record"
                # Not as a reason, whose quotations are cut: this one quotes names, and no value.
                self._count_bad(record, f"{place}: {error.message}", shown)
                continue
            actions.append(replace(asked, alias=self._alias))
            of.append(record)
            (self.deleted.discard if asked.document else self.deleted.add)(asked.id)
        for record, reason in zip(of, self._bulk.write(actions), strict=True):
            if reason is not None:
                self._count_bad(record, reason)

    def _action(self, record: Any) -> Action:
        """Return the same action as the job would; raise if the record is invalid."""
        if record.value is not None:
            self._good.validate(msgspec.json.decode(record.value))
        return action(self._topic, record.key, record.value)

    def _count_bad(self, record: Any, reason: str, formatted: Callable[[str], str] = shown_reason) -> None:
        self._outcome.bad += 1
        if len(self._outcome.named) < NAMED:
            place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
            short = reason if len(reason) <= REASON_LENGTH else f"{reason[:REASON_LENGTH]}…"
            self._outcome.named.append(f"{place}: {formatted(short)}")
