"""Changes that tests make in the shop's database, and what change data capture makes of them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import psycopg
from kafka import TopicPartition

from connectors.kafka.topics import CUSTOMER_CHANGES, PRODUCT_CHANGES
from connectors.postgres.captured_tables import SHOP_TABLES
from connectors.settings import Settings
from events import CustomerVersion, ProductVersion, RowVersion
from events.schemas import schema
from local.simulator.shop.database import connect, read_all
from local.simulator.shop.plan import ShopOptions
from local.simulator.shop.rows import CUSTOMERS, PRODUCTS, Row, checksum, key_of
from local.simulator.shop.run import change_rows
from local.simulator.shop.shop_ledger import ShopLedger
from ops.capture.progress import wait_until_captured
from ops.capture.status import status
from tests.e2e.deployment import consumer_of, records_from, wait_for

EVENTS = {CUSTOMER_CHANGES.name: CustomerVersion, PRODUCT_CHANGES.name: ProductVersion}
PARTITIONS = [TopicPartition(t.topic.name, number) for t in SHOP_TABLES for number in range(t.topic.partitions)]
INTERLEAVED = ("slow-", "quick-")
"""Beginnings of the keys that `interleaved_transactions` makes."""


@dataclass(frozen=True)
class Record:
    """A committed record of a topic of row versions."""

    topic: str
    key: str
    timestamp: int
    body: dict[str, Any]

    @property
    def is_event(self) -> bool:
        """Whether the record is valid by the topic's schema."""
        return _validator(self.topic).is_valid(self.body)

    @property
    def event(self) -> RowVersion:
        """Return the record as an event.

        Raises:
            ValidationError: the record is no event.
        """
        return msgspec.convert(self.body, EVENTS[self.topic])

    @property
    def row(self) -> Row:
        """Return the row that the event describes."""
        table = CUSTOMERS if self.topic == CUSTOMER_CHANGES.name else PRODUCTS
        event = self.event
        return table.row(*(getattr(event, column) for column in table.columns))


class Stream:
    """Records that the topics get from a certain moment on."""

    def __init__(self, settings: Settings, *, from_start: bool = False) -> None:
        """Begin at the end of the topics, or at their start."""
        self._settings = settings
        with consumer_of(settings) as consumer:
            find = consumer.beginning_offsets if from_start else consumer.end_offsets
            self._begin_at = find(PARTITIONS)

    def records(self) -> list[Record]:
        """Return the records of all changes committed so far, for each key in the order of the topic."""
        wait_until_captured(self._settings)
        return [
            Record(each.topic, (each.key or b"").decode(), each.timestamp, msgspec.json.decode(each.value))
            for each in records_from(self._settings, self._begin_at)
        ]

    def of(self, key: str) -> list[Record]:
        """Return the records of one key."""
        return [record for record in self.records() if record.key == key]

    def has_grown_by(self, offsets: int) -> bool:
        """Return whether the topics have at least `offsets` more offsets, markers of transactions included."""
        with consumer_of(self._settings) as consumer:
            return sum(consumer.end_offsets(PARTITIONS).values()) - sum(self._begin_at.values()) >= offsets


@cache
def _validator(topic: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema(EVENTS[topic]))


def newest_rows(records: list[Record]) -> dict[str, Row]:
    """Return the rows, by key, that a reader of the topics ends with."""
    newest: dict[str, Record] = {}
    for record in records:
        if record.is_event and record.body["lsn"] >= newest.get(record.key, record).body["lsn"]:
            newest[record.key] = record
    return {key: record.row for key, record in newest.items() if not record.body["deleted"]}


def copies_agree(settings: Settings) -> bool:
    """Return whether a copy made from the topics has the same checksums as the tables."""
    customers, products = read_all(settings)
    rows = newest_rows(Stream(settings, from_start=True).records())
    copied = [checksum(row for row in rows.values() if isinstance(row, table.row)) for table in (CUSTOMERS, PRODUCTS)]
    return copied == [checksum(customers), checksum(products)]


@contextmanager
def shop_at_work(settings: Settings, ledger: Path, rate: float = 50.0) -> Iterator[None]:
    """Let the simulated shop change its rows while the block runs, and record them in its ledger."""
    stop = threading.Event()
    options = ShopOptions(start_ms=time.time_ns() // 1_000_000, rate=rate, seconds=0, customers=300)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(change_rows, options, settings, ledger=ledger, stop=stop)
        try:
            wait_for("the shop to begin", lambda: run.done() or _has_transactions(ledger))
            yield
        finally:
            stop.set()
        run.result()


@contextmanager
def interleaved_transactions(settings: Settings) -> Iterator[None]:
    """Insert rows while the block runs, in overlapping transactions: one begins before another and commits after it."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(_interleave, settings, stop)
        try:
            yield
        finally:
            stop.set()
        run.result()


@contextmanager
def every_customer_touched(settings: Settings) -> Iterator[dict[str, int]]:
    """Update every customer's row again and again while the block runs; yield the number of updates by key."""
    stop, counts = threading.Event(), {customer.customer_id: 0 for customer in read_all(settings)[0]}
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(_touch, settings, counts, stop)
        try:
            wait_for("customers to be touched", lambda: run.done() or sum(counts.values()) > 20)
            yield counts
        finally:
            stop.set()
        run.result()


def changes_in(ledger: Path) -> dict[str, list[tuple[str, Row]]]:
    """Return what the simulated shop did to each row, by key: op and row."""
    content = ShopLedger.read(ledger)
    assert not content.in_doubt
    changes: dict[str, list[tuple[str, Row]]] = {}
    for transaction in content.committed:
        for statement in transaction.statements:
            for row in statement.rows:
                changes.setdefault(key_of(row), []).append((statement.op, row))
    return changes


def changes_of(records: list[Record]) -> dict[str, list[tuple[str, Row]]]:
    """Return the captured changes of each row, by key: op and row; rows that were only read are left out."""
    changes: dict[str, list[tuple[str, Row]]] = {}
    for record in records:
        if record.body["op"] != "r":
            changes.setdefault(record.key, []).append((record.body["op"], record.row))
    return changes


def _has_transactions(ledger: Path) -> bool:
    return ledger.exists() and '"line":"transaction"' in ledger.read_text()


def _interleave(settings: Settings, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        try:
            with connect(settings) as slow, connect(settings) as quick:
                while not stop.wait(0.01):
                    number += 1
                    with slow.transaction():
                        make_product(slow, f"slow-{number}-first")
                        make_product(quick, f"quick-{number}")
                        make_product(slow, f"slow-{number}-second")
        except psycopg.OperationalError:
            stop.wait(0.2)


def make_product(connection: psycopg.Connection[Any], key: str) -> None:
    """Insert a row that the simulated shop doesn't know."""
    connection.execute("INSERT INTO shop.products VALUES (%s, 'a thing', 'books', 100, 'EUR', 1)", [key])


def _touch(settings: Settings, counts: dict[str, int], stop: threading.Event) -> None:
    with connect(settings) as connection:
        while not stop.is_set():
            for key in counts:
                connection.execute("UPDATE shop.customers SET email = email WHERE customer_id = %s", [key])
                counts[key] += 1
                if stop.wait(0.002):
                    return


def healthy_capture(settings: Settings) -> bool:
    """Return whether capture has no fault."""
    return not status(settings).faults
