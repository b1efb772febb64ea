"""What was done to the shop's rows, for the proofs: the rows at first, then the transactions, then a summary.

A transaction has a line before it is done, which leaves open what becomes of it, and one after it.
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
    """A row that was there when the run began."""

    row: CustomerRow | ProductRow


class TransactionRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="transaction"):
    """One transaction."""

    number: int
    """1 for the run's first."""
    kind: str
    """What happened."""
    statements: tuple[Statement, ...]
    outcome: Outcome
    """`unknown`: it isn't done yet, or the run was stopped while the database was away, so that nobody knows."""
    began_at: int
    """Wall clock, milliseconds."""
    ended_at: int | None
    """Wall clock, milliseconds; when the outcome was known. Null while it isn't done."""
    committed_at: int | None
    """When the database says that it was committed, UTC milliseconds: the event time of the row versions. Null if it
    wasn't, or if the server doesn't keep commit times."""


class ShopSummary(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="summary"):
    """The last line of a run."""

    started_at: int
    """Wall clock, milliseconds."""
    ended_at: int
    complete: bool
    """False if it was stopped early or something failed."""
    outcomes: dict[str, int]
    """Transactions by outcome."""
    kinds: dict[str, int]
    """Transactions by what happened."""


@dataclass(frozen=True)
class Version:
    """A row as it was from some moment on."""

    valid_from: int | None
    """UTC milliseconds, None if it was there when the run began."""
    row: Row
    """If it is deleted, as it was before."""
    is_deleted: bool


@dataclass(frozen=True)
class ShopLedgerContent:
    """A ledger, read back."""

    first_rows: tuple[Row, ...]
    transactions: tuple[TransactionRecord, ...]
    summary: ShopSummary | None
    """None if the service was killed."""

    @cached_property
    def committed(self) -> tuple[TransactionRecord, ...]:
        """The transactions that count, in the order in which they were done."""
        return tuple(each for each in self.transactions if each.outcome == "committed")

    @cached_property
    def in_doubt(self) -> tuple[TransactionRecord, ...]:
        """Those of which nobody knows."""
        return tuple(each for each in self.transactions if each.outcome == "unknown")

    @cached_property
    def customers(self) -> tuple[CustomerRow, ...]:
        """What is in `shop.customers` at the end, by key."""
        return tuple(sorted(self._end.customers.rows, key=key_of))

    @cached_property
    def products(self) -> tuple[ProductRow, ...]:
        """What is in `shop.products` at the end, by key."""
        return tuple(sorted(self._end.products.rows, key=key_of))

    @cached_property
    def versions(self) -> dict[str, list[Version]]:
        """By key of the row, the first one first.

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
        """Note what is about to be done, so that a service that is killed leaves behind what is in doubt."""
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
        """Note what became of it."""
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
        """Read a ledger back, also one whose service was killed.

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
