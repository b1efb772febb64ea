"""Parses terms: facts, constants with units, and products of these. Computes their dimensions."""

import re
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches

from events.currencies import decimals
from udfs.conditions.errors import ConditionError, quoted
from udfs.conditions.facts import KM, MONEY, PLAIN, SECONDS, SPEED, Dimension, Fact
from udfs.conditions.tokens import Token, Tokens
from udfs.conditions.tree import Name, Number, Product, Term

MOST_DIGITS = 15
"""Maximum number of digits of a number: this many are exact in a double."""
MOST_FACTORS = 10
"""Maximum number of factors and divisors in one product: the product is a double."""
_LARGEST = 2.0**53
"""Upper limit of constants, in base units: whole numbers below it are exact."""

_TIME_UNITS = {
    "second": 1,
    "seconds": 1,
    "minute": 60,
    "minutes": 60,
    "hour": 3600,
    "hours": 3600,
}


class TermParser:
    """Parses the terms that start at the current token. Each method that parses raises `ConditionError`."""

    def __init__(self, tokens: Tokens, facts: Mapping[str, Fact], base_currency: str) -> None:
        self._tokens = tokens
        self._facts = facts
        self._base_currency = base_currency

    def term(self) -> tuple[Term, Dimension]:
        """Parse a fact, a constant, or a product or quotient of these."""
        term, dimension = self._factor()
        factors = 1
        while self._tokens.current.text in ("*", "/"):
            operator = self._tokens.current
            factors += 1
            if factors > MOST_FACTORS:
                raise ConditionError(
                    operator.position, f"more than {MOST_FACTORS} factors are in one product", "use fewer"
                )
            self._tokens.take()
            right, right_dimension = self._factor()
            dimension = dimension.times(right_dimension, 1 if operator.text == "*" else -1)
            term = Product(term, operator.text, right)  # type: ignore[arg-type]
        return term, dimension

    def fact(self, token: Token) -> Fact:
        """Return the fact that a token names.

        Raises:
            ConditionError: there is no such fact, or a condition can't use it.
        """
        fact = self._facts.get(token.text)
        if fact is None:
            near = get_close_matches(token.text, self._facts, n=1)
            what_next = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._facts))}"
            raise ConditionError(token.position, f"unknown feature {quoted(token.text)}", what_next)
        if fact.unusable is not None:
            raise ConditionError(token.position, f"{token.text} can't be used in a condition", fact.unusable)
        return fact

    def _factor(self) -> tuple[Term, Dimension]:
        token = self._tokens.current
        if token.kind == "number":
            return self._number(self._tokens.take())
        if not token.is_name():
            raise self._tokens.unexpected("a feature or a number")
        fact = self.fact(token)
        if fact.kind != "number":
            raise ConditionError(
                token.position,
                f"{token.text} is a {fact.kind}, not a number",
                "compare it with = or in, or leave it out",
            )
        self._tokens.take()
        return Name(token.text), fact.dimension

    def _number(self, number: Token) -> tuple[Number, Dimension]:
        if len(number.text.replace(".", "")) > MOST_DIGITS:
            raise ConditionError(
                number.position, f"{quoted(number.text)} has more than {MOST_DIGITS} digits", "use fewer"
            )
        value = float(number.text)
        unit = self._tokens.current
        word = unit.text.lower()
        if not unit.is_name():
            return _constant(value, PLAIN, number)
        if word in _TIME_UNITS:
            self._tokens.take()
            return _constant(value * _TIME_UNITS[word], SECONDS, number, word)
        if word == "km":
            self._tokens.take()
            return self._kilometres(value, number)
        if re.fullmatch("[A-Z]{3}", unit.text):
            self._tokens.take()
            return self._money(number, unit)
        if unit.text not in self._facts:
            raise ConditionError(
                unit.position,
                f"unknown unit {quoted(unit.text)}",
                f"the units are {self._base_currency}, seconds, minutes, hours, km, km/h",
            )
        return _constant(value, PLAIN, number)

    def _kilometres(self, value: float, number: Token) -> tuple[Number, Dimension]:
        if self._tokens.current.text == "/" and self._tokens.following.text == "h":
            self._tokens.take()
            self._tokens.take()
            return _constant(value / 3600, SPEED, number, "km/h")
        return _constant(value, KM, number, "km")

    def _money(self, number: Token, unit: Token) -> tuple[Number, Dimension]:
        if unit.text != self._base_currency:
            raise ConditionError(
                unit.position,
                f"features hold money in {self._base_currency}, not in {unit.text}",
                f"write the threshold in {self._base_currency}",
            )
        minor = Decimal(number.text).scaleb(decimals(unit.text))
        if minor != int(minor):
            raise ConditionError(number.position, f"{number.text} {unit.text} has too many decimals", "round it")
        return _constant(int(minor), MONEY, number, unit.text)


def _constant(value: float, dimension: Dimension, number: Token, unit: str = "") -> tuple[Number, Dimension]:
    text = f"{number.text} {unit}".strip()
    if value >= _LARGEST:
        raise ConditionError(number.position, f"{text} is too large", "no feature reaches it: use a smaller one")
    return Number(value, dimension, text), dimension
