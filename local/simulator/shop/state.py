"""Content of the shop's tables at one moment of the plan."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, Literal

import msgspec

from local.simulator.shop.rows import CustomerRow, ProductRow, Row, RowT, key_of
from local.simulator.world.population import customer_number

TRIES = 50
"""Maximum number of rows that are tried to find a suitable one."""


class Statement(msgspec.Struct, frozen=True):
    """Effect of one SQL statement on rows of one table, none of them twice."""

    op: Literal["c", "u", "d"]
    """c: create. u: update. d: delete."""
    rows: tuple[CustomerRow | ProductRow, ...]
    """Rows as they are after the statement; deleted rows as they were before."""


class Keyed(Generic[RowT]):
    """Rows by key, with random choice in constant time."""

    def __init__(self, rows: Iterable[RowT]) -> None:
        self._rows: list[RowT] = list(rows)
        self._places = {key_of(row): place for place, row in enumerate(self._rows)}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    @property
    def rows(self) -> tuple[RowT, ...]:
        """All rows, in no particular order."""
        return tuple(self._rows)

    def put(self, row: RowT) -> None:
        """Add a row or replace the one with its key."""
        place = self._places.setdefault(key_of(row), len(self._rows))
        self._rows[place : place + 1] = [row]

    def remove(self, key: str) -> None:
        """Remove a row; the last one takes its place."""
        place, last = self._places.pop(key), self._rows.pop()
        if key_of(last) != key:
            self._rows[place] = last
            self._places[key_of(last)] = place

    def some(self, random: Random, count: int) -> tuple[RowT, ...]:
        """Return `count` different rows, or all if there are fewer."""
        return tuple(random.sample(self._rows, min(count, len(self._rows))))

    def one(self, random: Random, suits: Callable[[RowT], bool]) -> RowT | None:
        """Return a row that suits, or None if a few tries find none."""
        for _ in range(TRIES if self._rows else 0):
            row = random.choice(self._rows)
            if suits(row):
                return row
        return None


@dataclass
class State:
    """Both tables, and removed products that may be listed again."""

    customers: Keyed[CustomerRow]
    products: Keyed[ProductRow]
    next_customer: int
    """Lowest number above those of all customers so far."""
    removed: list[ProductRow] = field(default_factory=list)

    @classmethod
    def of(cls, customers: Iterable[CustomerRow], products: Iterable[ProductRow]) -> "State":
        """Create the state of these rows."""
        state = cls(Keyed(()), Keyed(products), 0)
        state.apply([Statement("c", tuple(customers))])
        return state

    def apply(self, statements: Iterable[Statement]) -> None:
        """Apply the statements, as a commit does."""
        for statement in statements:
            for row in statement.rows:
                self._apply(statement.op, row)

    def _apply(self, op: str, row: Row) -> None:
        if isinstance(row, CustomerRow):
            _apply(self.customers, op, row)
            self.next_customer = max(self.next_customer, customer_number(row.customer_id) + 1)
            return
        _apply(self.products, op, row)
        if op == "d":
            self.removed.append(row)
        elif op == "c":
            self.removed = [removed for removed in self.removed if removed.product_id != row.product_id]


def _apply(table: Keyed[RowT], op: str, row: RowT) -> None:
    if op == "d":
        table.remove(key_of(row))
    else:
        table.put(row)
