"""Plans the changes of a run with their times. Pure: a plan follows from options and rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from local.simulator.shop.changes import CHANGES, Change, sold
from local.simulator.shop.rows import RowT, customer_row, key_of, product_row
from local.simulator.shop.state import Keyed, State, Statement
from local.simulator.world.arrivals import entered_ms, listed_ms, newcomer
from local.simulator.world.products import upcoming_product
from local.simulator.world.timetable import Timetable

ROLLED_BACK_SHARE = 0.04
LISTED, ENTERED = "listed", "entered"


@dataclass(frozen=True, kw_only=True)
class ShopOptions(Timetable):
    """Options of a run; the same options on the same rows lead to the same changes."""

    rate: float = 10.0
    """Transactions per second, not counting those that enter products and customers who order."""
    customers: int = 90_000
    """Number of customers at the beginning; by default all who order at 5 orders per second."""


@dataclass(frozen=True)
class Transaction:
    """Statements that are committed together or, if it is rolled back, not at all."""

    at_ms: int
    """Time at which it is due, in UTC milliseconds."""
    kind: str
    """Name of the change, or `LISTED`: an upcoming product; `ENTERED`: a newcomer."""
    statements: tuple[Statement, ...]
    is_rolled_back: bool = False


def plan(options: ShopOptions, state: State) -> Iterator[Transaction]:
    """Yield the transactions in order of time; `state` is updated with each.

    Every hundred contain each change that is possible at that time.
    """
    random = Random(f"{options.seed}/shop")
    arrivals = _Arrivals(options, state)
    deck: list[Change] = []
    for at_ms in options.moments(Random(f"{options.seed}/shop moments")):
        for arrival in arrivals.until(at_ms):
            yield _done(arrival, state)
        deck = deck or random.sample(list(CHANGES), counts=CHANGES.values(), k=sum(CHANGES.values()))
        yield _done(_transaction(deck.pop(), at_ms, state, random), state)
    for arrival in arrivals.until(options.end_ms):
        yield _done(arrival, state)


def _transaction(change: Change, at_ms: int, state: State, random: Random) -> Transaction:
    statements = _not_empty(change(state, random))
    if not statements:
        change, statements = sold, _not_empty(sold(state, random))
    return Transaction(at_ms, change.__name__, statements, random.random() < ROLLED_BACK_SHARE)


def _not_empty(statements: list[Statement]) -> tuple[Statement, ...]:
    return tuple(statement for statement in statements if statement.rows)


def _done(transaction: Transaction, state: State) -> Transaction:
    if not transaction.is_rolled_back:
        state.apply(transaction.statements)
    return transaction


def _absent(rows: Iterator[RowT], table: Keyed[RowT]) -> Iterator[RowT]:
    """Yield rows that aren't in the table when they are requested: an earlier run may have entered them."""
    return (row for row in rows if key_of(row) not in table)


class _Arrivals:
    """Customers and products that are entered by the timetable that the order service knows too."""

    def __init__(self, options: ShopOptions, state: State) -> None:
        self._start_ms = options.start_ms
        products = (product_row(upcoming_product(number)) for number in count())
        customers = (customer_row(newcomer(number, options.customers)) for number in count())
        self._products, self._customers = _absent(products, state.products), _absent(customers, state.customers)
        self._next = 0

    def until(self, at_ms: float) -> Iterator[Transaction]:
        """Yield the arrivals that are due."""
        while (due_ms := self._due_ms()) <= at_ms:
            is_customer = self._next % 2
            row = next(self._customers) if is_customer else next(self._products)
            yield Transaction(due_ms, ENTERED if is_customer else LISTED, (Statement("c", (row,)),))
            self._next += 1

    def _due_ms(self) -> int:
        number, is_customer = divmod(self._next, 2)
        return self._start_ms + (entered_ms(number) if is_customer else listed_ms(number))
