"""Finds conditions that can never be true because some of their parts exclude each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from udfs.conditions.errors import ConditionError
from udfs.conditions.facts import Fact
from udfs.conditions.tree import (
    Atom,
    Combination,
    Comparison,
    Condition,
    IsNull,
    IsTrue,
    Name,
    Number,
    OneOf,
    Operator,
    Term,
    names_in,
)

MOST_STEPS = 1000
"""Maximum number of steps of the search for contradictions."""

_MIRRORED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}

_Pending = tuple[Condition, "_Pending"] | None
"""Further conditions that must hold, as a linked list."""


def is_possible(condition: Condition, facts: Mapping[str, Fact]) -> bool:
    """Return whether some alternative has no contradiction among its atoms; a search with backtracking.

    Raises:
        ConditionError: no result within `MOST_STEPS`.
    """
    untried: list[tuple[_Pending, _Claims]] = [((condition, None), _Claims())]
    steps = 0
    while untried:
        pending, claims = untried.pop()
        while pending is not None:
            current, pending = pending
            steps += 1
            if steps > MOST_STEPS:
                raise ConditionError(
                    0, "this has too many alternatives to find contradictions in", "split it into several rules"
                )
            match current:
                case Combination("and", parts):
                    # Atoms come first: a contradiction among them rules out all alternatives of the other parts.
                    for part in sorted(parts, key=lambda part: not isinstance(part, Combination)):
                        pending = (part, pending)
                case Combination(_, (first, *others)):
                    untried.extend(((other, pending), claims) for other in reversed(others))
                    steps += len(others)
                    pending = (first, pending)
                case Comparison() | OneOf() | IsNull() | IsTrue():
                    claims = claims.including(current, facts)
                    if claims.contradictory:
                        break
        else:
            return True
    return False


@dataclass(frozen=True)
class _Range:
    """Values that a term can still have."""

    low: float
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False
    excluded: frozenset[float] = frozenset()

    def narrowed(self, operator: Operator, value: float) -> "_Range":
        """Return the range without the values for which the comparison isn't true."""
        if operator == "!=":
            return replace(self, excluded=self.excluded | {value})
        low, low_open, high, high_open = self.low, self.low_open, self.high, self.high_open
        if operator in (">", ">=", "=") and (value, operator == ">") > (low, low_open):
            low, low_open = value, operator == ">"
        if operator in ("<", "<=", "=") and (value, operator != "<") < (high, not high_open):
            high, high_open = value, operator == "<"
        return _Range(low, low_open, high, high_open, self.excluded)

    def is_empty(self) -> bool:
        """Return whether no value is left."""
        edge = self.low_open or self.high_open or self.low in self.excluded
        return self.low > self.high or (self.low == self.high and edge)


@dataclass(frozen=True)
class _Claims:
    """Constraints on each term and fact that follow from atoms that must all hold."""

    ranges: Mapping[Term, _Range] = field(default_factory=dict)
    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    forbidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    missing: Mapping[str, bool] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    contradictory: bool = False

    def including(self, atom: Atom, facts: Mapping[str, Fact]) -> "_Claims":
        """Return the constraints with one more atom."""
        match atom:
            case Comparison(left, _, right):
                return self._within(atom, facts)._present(*names_in(left), *names_in(right))
            case OneOf(name, values, None, negated):
                return (self._without(name, values) if negated else self._among(name, values))._present(name)
            case IsNull(name, negated):
                known = self.missing.get(name, not negated)
                wrong = self.contradictory or known is negated
                return replace(self, missing={**self.missing, name: not negated}, contradictory=wrong)
            case IsTrue(name, negated):
                known = self.flags.get(name, not negated)
                wrong = self.contradictory or known is negated
                return replace(self, flags={**self.flags, name: not negated}, contradictory=wrong)
        return self

    def _within(self, comparison: Comparison, facts: Mapping[str, Fact]) -> "_Claims":
        term, operator, bound = comparison.left, comparison.operator, comparison.right
        if isinstance(term, Number):
            term, operator, bound = bound, _MIRRORED[operator], term
        if not isinstance(bound, Number):
            return self
        lowest = facts[term.name].lowest if isinstance(term, Name) else -math.inf
        narrowed = self.ranges.get(term, _Range(lowest)).narrowed(operator, bound.value)
        wrong = self.contradictory or narrowed.is_empty()
        return replace(self, ranges={**self.ranges, term: narrowed}, contradictory=wrong)

    def _among(self, name: str, values: tuple[str, ...]) -> "_Claims":
        allowed = self.allowed.get(name, frozenset(values)).intersection(values)
        wrong = self.contradictory or not allowed - self.forbidden.get(name, frozenset())
        return replace(self, allowed={**self.allowed, name: allowed}, contradictory=wrong)

    def _without(self, name: str, values: tuple[str, ...]) -> "_Claims":
        forbidden = self.forbidden.get(name, frozenset()).union(values)
        wrong = self.contradictory or (name in self.allowed and not self.allowed[name] - forbidden)
        return replace(self, forbidden={**self.forbidden, name: forbidden}, contradictory=wrong)

    def _present(self, *names: str) -> "_Claims":
        wrong = self.contradictory or any(self.missing.get(name, False) for name in names)
        return replace(self, missing={**self.missing, **dict.fromkeys(names, False)}, contradictory=wrong)
