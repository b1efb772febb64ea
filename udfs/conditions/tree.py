"""A parsed condition as a tree of comparisons, combined by `and` and `or`."""

from dataclasses import dataclass
from typing import Literal, get_args

from udfs.conditions.facts import Dimension


@dataclass(frozen=True)
class Number:
    """A constant in base units: minor units, seconds, kilometres."""

    value: float
    dimension: Dimension
    text: str


@dataclass(frozen=True)
class Name:
    """A reference to a fact by its name."""

    name: str


@dataclass(frozen=True)
class Product:
    """A product, left × right, or a quotient, left ÷ right."""

    left: "Term"
    operator: Literal["*", "/"]
    right: "Term"


Term = Number | Name | Product
Operator = Literal["<", "<=", ">", ">=", "=", "!="]


@dataclass(frozen=True)
class Comparison:
    """A comparison of numbers: left operator right."""

    left: Term
    operator: Operator
    right: Term


@dataclass(frozen=True)
class OneOf:
    """A text fact is (or is not) one of some constants, or equal to another text fact."""

    name: str
    values: tuple[str, ...]
    other: str | None
    negated: bool


@dataclass(frozen=True)
class IsNull:
    """A fact is (or is not) missing."""

    name: str
    negated: bool


@dataclass(frozen=True)
class IsTrue:
    """A flag is set (or is not)."""

    name: str
    negated: bool


@dataclass(frozen=True)
class Combination:
    """All (and) or any (or) of the parts."""

    operator: Literal["and", "or"]
    parts: tuple["Condition", ...]


Atom = Comparison | OneOf | IsNull | IsTrue
Condition = Atom | Combination

OPERATORS: tuple[Operator, ...] = get_args(Operator)
_OPPOSITE: dict[Operator, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}


def names_in(term: Term) -> set[str]:
    """Return the names of the facts in a term."""
    match term:
        case Name(name):
            return {name}
        case Product(left, _, right):
            return names_in(left) | names_in(right)
        case _:
            return set()


def opposite(condition: Condition) -> Condition:
    """Return the condition that is true where this one is false; a missing value makes neither true."""
    match condition:
        case Combination(operator, parts):
            return Combination("or" if operator == "and" else "and", tuple(opposite(part) for part in parts))
        case Comparison(left, operator, right):
            return Comparison(left, _OPPOSITE[operator], right)
        case OneOf(name, values, other, negated):
            return OneOf(name, values, other, not negated)
        case IsNull(name, negated):
            return IsNull(name, not negated)
        case IsTrue(name, negated):
            return IsTrue(name, not negated)
