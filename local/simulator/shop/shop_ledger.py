"""Ledger of the shop's changes, for the checks: the rows at first, the transactions, then a summary.

A transaction has two lines: one before it is done, with its outcome unknown, and one after it.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from local.simulator.ledger_file import LedgerFile, read_lines
from local.simulator.shop.rows import CustomerRow, ProductRow, Row, key_of
from local.simulator.shop.state import State, Statement

Outcome = Literal["committed", "rolled_back", "unknown"]


class FirstRow(msgspec.Struct, frozen=True, tag_field="line", tag="first_row"):
    """A row that existed when the run began."""

    row: CustomerRow | ProductRow


class TransactionRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="transaction"):
    """One transaction."""

    number: int
    """Number of the transaction, 1 for the run's first."""
    kind: str
    """Name of the change."""
    statements: tuple[Statement, ...]
    outcome: Outcome
    """`unknown`: not done yet, or the run was stopped while the database was unavailable, so that the outcome is
    unknown."""
    began_at: int
    """Start by the wall clock, in milliseconds."""
    ended_at: int | None
    """Time when the outcome was known, by the wall clock, in milliseconds. Null while it isn't done."""
    committed_at: int | None
    """Commit time by the database, in UTC milliseconds: the event time of the row versions. Null if it wasn't
    committed, or if the server doesn't keep commit times."""


class ShopSummary(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="summary"):
    """The last line of a run."""

    started_at: int
    """Start of the run by the wall clock, in milliseconds."""
    ended_at: int
    complete: bool
    """False if the run was stopped early or something failed."""
    outcomes: dict[str, int]
    """Number of transactions by outcome."""
    kinds: dict[str, int]
    """Number of transactions by kind."""


@dataclass(frozen=True)
class Version:
    """A row as it was from some moment on."""

    valid_from: int | None
    """UTC milliseconds; None if the row existed when the run began."""
    row: Row
    """The row; if it is deleted, as it was before."""
    is_deleted: bool


@dataclass(frozen=True)
class ShopLedgerContent:
    """Content of a ledger."""

    first_rows: tuple[Row, ...]
    transactions: tuple[TransactionRecord, ...]
    summary: ShopSummary | None
    """Summary; None if the service was killed."""

    @cached_property
    def committed(self) -> tuple[TransactionRecord, ...]:
        """Committed transactions, in the order in which they were done."""
        return tuple(each for each in self.transactions if each.outcome == "committed")

    @cached_property
    def in_doubt(self) -> tuple[TransactionRecord, ...]:
        """Transactions whose outcome is unknown."""
        return tuple(each for each in self.transactions if each.outcome == "unknown")

    @cached_property
    def customers(self) -> tuple[CustomerRow, ...]:
        """Rows of `shop.customers` at the end, by key."""
        return tuple(sorted(self._end.customers.rows, key=key_of))

    @cached_property
    def products(self) -> tuple[ProductRow, ...]:
        """Rows of `shop.products` at the end, by key."""
        return tuple(sorted(self._end.products.rows, key=key_of))

    @cached_property
    def versions(self) -> dict[str, list[Version]]:
        """Versions by key of the row, the first one first.

        Raises:
            ValueError: the server didn't keep commit times.
        """
        versions: dict[str, list[Version]] = {}
        for version in self._versions():
            versions.setdefault(key_of(version.row), []).append(version)
        return versions

    @cached_property
    def _end(self) -> State:
        end = State.of(
            (row for row in self.first_rows if isinstance(row, CustomerRow)),
            (row for row in self.first_rows if isinstance(row, ProductRow)),
        )
        for transaction in self.committed:
            end.apply(transaction.statements)
        return end

    def _versions(self) -> Iterator[Version]:
        yield from (Version(None, row, False) for row in self.first_rows)
        for transaction in self.committed:
            if transaction.committed_at is None:
                raise ValueError("the database server doesn't keep commit times: it needs track_commit_timestamp=on")
            for statement in transaction.statements:
                for row in statement.rows:
                    yield Version(transaction.committed_at, row, statement.op == "d")


_LINES = msgspec.json.Decoder(FirstRow | TransactionRecord | ShopSummary)


class ShopLedger:
    """The ledger of one run while it is written."""

    def __init__(self, path: Path, first_rows: Iterable[Row], started_at: int) -> None:
        self._file = LedgerFile(path)
        self._started_at = started_at
        self._outcomes: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        for row in first_rows:
            self._file.write(FirstRow(row))
        self._file.flush()

    def begin(self, number: int, kind: str, statements: tuple[Statement, ...]) -> TransactionRecord:
        """Record a transaction before it is done, so that after a kill the ledger shows that it is in doubt."""
        begun = TransactionRecord(
            number=number,
            kind=kind,
            statements=statements,
            outcome="unknown",
            began_at=_now_ms(),
            ended_at=None,
            committed_at=None,
        )
        self._write(begun)
        return begun

    def end(self, record: TransactionRecord) -> None:
        """Record the outcome."""
        self._outcomes[record.outcome] += 1
        self._kinds[record.kind] += 1
        self._write(record)

    def finish(self, ended_at: int, complete: bool) -> ShopSummary:
        """Write the last line and close the file."""
        summary = ShopSummary(
            started_at=self._started_at,
            ended_at=ended_at,
            complete=complete,
            outcomes=dict(sorted(self._outcomes.items())),
            kinds=dict(sorted(self._kinds.items())),
        )
        self._file.write(summary)
        self._file.close()
        return summary

    @staticmethod
    def read(path: Path) -> ShopLedgerContent:
        """Read a ledger, also one whose service was killed.

        Raises:
            LedgerError: a line can't be read.
        """
        lines = list(read_lines(path, _LINES))
        transactions = {line.number: line for line in lines if isinstance(line, TransactionRecord)}
        return ShopLedgerContent(
            tuple(line.row for line in lines if isinstance(line, FirstRow)),
            tuple(transactions.values()),
            next((line for line in lines if isinstance(line, ShopSummary)), None),
        )

    def _write(self, record: TransactionRecord) -> None:
        self._file.write(record)
        self._file.flush()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
