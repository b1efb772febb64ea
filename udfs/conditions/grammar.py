"""Parses conditions of rules, checks their units, and refuses those that are never or always true.

    count_10m >= 4 and (declined_10m >= 2 or base_amount_minor > 5 * avg_24h)
    km_from_previous / seconds_from_previous > 900 km/h and channel = 'card_present'
    sum_1h > 500.00 EUR and previous_country is not null and country not in ('DE', 'FR')

A comparison with a missing value is not true, and neither is its opposite (SQL's three-valued logic).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from udfs.conditions.contradictions import is_possible
from udfs.conditions.errors import ConditionError, quoted
from udfs.conditions.facts import DIMENSIONS_IN_WORDS, KM, MONEY, PLAIN, SECONDS, SPEED, Dimension, Fact
from udfs.conditions.terms import TermParser
from udfs.conditions.tokens import Token, Tokens
from udfs.conditions.tree import (
    OPERATORS,
    Combination,
    Comparison,
    Condition,
    IsNull,
    IsTrue,
    OneOf,
    names_in,
    opposite,
)

LONGEST = 4000
"""Maximum number of characters of a condition."""
DEEPEST = 20
"""Maximum nesting of parentheses and `not`."""


def parse_condition(text: str, facts: Mapping[str, Fact], base_currency: str) -> Condition:
    """Parse a condition on `facts`; amounts of money in it must be in `base_currency`.

    Raises:
        ConditionError: syntax, an unknown fact, a unit that doesn't fit, a condition that can never be true or is
            always true, or one beyond the limits (`LONGEST`, `DEEPEST`, those of terms and contradictions) that keep
            parsing and judging within milliseconds.
    """
    if len(text) > LONGEST:
        raise ConditionError(LONGEST, f"this is longer than {LONGEST:,} characters", "split it into several rules")
    condition = _Parser(text, facts, base_currency).parse()
    if not is_possible(condition, facts):
        raise ConditionError(0, "this can never be true", "look for two bounds that exclude each other")
    if not is_possible(opposite(condition), facts):
        raise ConditionError(0, "this is always true", "every payment would break the rule: look for a bound below all")
    return condition


class _Parser:
    """Parses a condition by recursive descent: or, and, not, comparison."""

    def __init__(self, text: str, facts: Mapping[str, Fact], base_currency: str) -> None:
        self._tokens = Tokens(text)
        self._terms = TermParser(self._tokens, facts, base_currency)
        self._base_currency = base_currency
        self._depth = 0

    def parse(self) -> Condition:
        condition = self._any_of()
        if self._tokens.current.kind != "end":
            raise self._tokens.unexpected("and, or, or the end")
        return condition

    def _any_of(self) -> Condition:
        return self._combined("or", self._all_of)

    def _all_of(self) -> Condition:
        return self._combined("and", self._not)

    def _combined(self, operator: Literal["and", "or"], part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._tokens.take_word(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Combination(operator, tuple(parts))

    def _not(self) -> Condition:
        start = self._tokens.current
        if self._tokens.take_word("not"):
            with self._deeper(start):
                return opposite(self._not())
        if self._tokens.take_sign("("):
            with self._deeper(start):
                inner = self._any_of()
            self._tokens.expect_sign(")")
            return inner
        return self._atom()

    @contextmanager
    def _deeper(self, start: Token) -> Iterator[None]:
        if self._depth == DEEPEST:
            raise ConditionError(
                start.position,
                f"more than {DEEPEST} parentheses and `not` are around each other here",
                "leave out those that change nothing, or split it into several rules",
            )
        self._depth += 1
        yield
        self._depth -= 1

    def _atom(self) -> Condition:
        start = self._tokens.current
        if start.is_name():
            fact = self._terms.fact(start)
            if self._tokens.following.text.lower() == "is":
                return self._null()
            if fact.kind == "text":
                return self._text()
            if fact.kind == "flag":
                return IsTrue(self._tokens.take().text, negated=False)
        return self._comparison()

    def _null(self) -> Condition:
        fact = self._tokens.take()
        self._tokens.expect_word("is")
        negated = self._tokens.take_word("not")
        self._tokens.expect_word("null")
        return IsNull(fact.text, negated)

    def _text(self) -> Condition:
        fact = self._tokens.take()
        negated = self._tokens.take_word("not")
        if self._tokens.take_word("in"):
            self._tokens.expect_sign("(")
            values = [self._constant_text(fact)]
            while self._tokens.take_sign(","):
                values.append(self._constant_text(fact))
            self._tokens.expect_sign(")")
            return OneOf(fact.text, tuple(values), None, negated)
        operator = self._tokens.current
        if negated or operator.text not in ("=", "!="):
            raise self._tokens.unexpected(f"=, != or in, since {fact.text} is text")
        self._tokens.take()
        right = self._tokens.current
        if right.kind == "name" and self._terms.fact(right).kind == "text":
            self._tokens.take()
            return OneOf(fact.text, (), right.text, operator.text == "!=")
        return OneOf(fact.text, (self._constant_text(fact),), None, operator.text == "!=")

    def _constant_text(self, fact: Token) -> str:
        token = self._tokens.current
        if token.kind != "text":
            raise ConditionError(
                token.position, f"{fact.text} is text, but {quoted(token.text)} is not", "write it in quotes: 'DE'"
            )
        self._tokens.take()
        return token.text[1:-1].replace("''", "'")

    def _comparison(self) -> Condition:
        left, left_dimension = self._terms.term()
        operator = self._tokens.current
        if operator.text not in OPERATORS:
            raise self._tokens.unexpected("<, <=, >, >=, = or !=")
        self._tokens.take()
        right_start = self._tokens.current
        right, right_dimension = self._terms.term()
        if left_dimension != right_dimension:
            raise self._units_differ(right_start, left_dimension, right_dimension)
        if not names_in(left) | names_in(right):
            raise ConditionError(operator.position, "two constants are compared", "compare a feature with a threshold")
        return Comparison(left, operator.text, right)

    def _units_differ(self, right: Token, wanted: Dimension, found: Dimension) -> ConditionError:
        example = {
            MONEY: f"500.00 {self._base_currency}",
            SECONDS: "2 minutes",
            KM: "500 km",
            SPEED: "900 km/h",
            PLAIN: "a number without a unit",
        }.get(wanted, "the same unit on both sides")
        return ConditionError(
            right.position,
            f"{_in_words(wanted)} is compared with {_in_words(found)}",
            f"write {example}",
        )


def _in_words(dimension: Dimension) -> str:
    return DIMENSIONS_IN_WORDS.get(dimension, "a compound unit")
