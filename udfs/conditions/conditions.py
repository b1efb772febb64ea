"""Parses conditions of rules, checks their units, and finds those that are never or always true.

    count_10m >= 4 and (declined_10m >= 2 or base_amount_minor > 5 * avg_24h)
    km_from_previous / seconds_from_previous > 900 km/h and channel = 'card_present'
    sum_1h > 500.00 EUR and previous_country is not null and country not in ('DE', 'FR')

A comparison with a missing value is not true, and neither is its opposite (SQL's three-valued logic).
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, NamedTuple

from events.currencies import decimals

Value = int | float | str | bool | tuple[str, ...] | None


class Dimension(NamedTuple):
    """Dimension of a number, as exponents of its units; all zero for a plain number."""

    money: int = 0
    seconds: int = 0
    km: int = 0

    def times(self, other: "Dimension", sign: int = 1) -> "Dimension":
        """Return the dimension of a product (`sign` 1) or a quotient (`sign` −1)."""
        return Dimension(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


PLAIN = Dimension()
MONEY = Dimension(money=1)
SECONDS = Dimension(seconds=1)
KM = Dimension(km=1)
SPEED = Dimension(km=1, seconds=-1)

_IN_WORDS = {PLAIN: "a plain number", MONEY: "money", SECONDS: "a time", KM: "a distance", SPEED: "a speed"}


@dataclass(frozen=True)
class Fact:
    """A value that a condition can refer to."""

    kind: Literal["number", "text", "flag", "list"]
    dimension: Dimension = PLAIN
    lowest: float = -math.inf
    """Lower bound of its values, which makes it possible to find thresholds that can't be reached."""
    unusable: str | None = None
    """Why the fact can't be used in a condition, and what to use instead; None if it can be used."""


class ConditionError(ValueError):
    """A condition can't be used; the text gives the position, what is wrong, and what would be right."""

    def __init__(self, position: int, what: str, what_next: str) -> None:
        super().__init__(f"at character {position + 1}: {what}; {what_next}")
        self.position = position


LONGEST = 4000
"""Maximum number of characters of a condition."""
DEEPEST = 20
"""Maximum nesting of parentheses and `not`."""
MOST_DIGITS = 15
"""Maximum number of digits of a number: this many are exact in a double."""
MOST_FACTORS = 10
"""Maximum number of factors and divisors in one product: the product is a double."""
MOST_STEPS = 1000
"""Maximum number of steps of the search for contradictions."""
_LARGEST = 2.0**53
"""Upper limit of constants, in base units: whole numbers below it are exact."""
_LONGEST_QUOTE = 40


def quoted(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Quote a text, cut to at most `longest` characters."""
    return repr(text if len(text) <= longest else f"{text[:longest]}…")


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

_OPPOSITE: dict[Operator, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
_MIRRORED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def parse_condition(text: str, facts: Mapping[str, Fact], base_currency: str) -> Condition:
    """Parse a condition on `facts`; amounts of money in it must be in `base_currency`.

    Raises:
        ConditionError: syntax, an unknown fact, a unit that doesn't fit, a condition that can never be true or is
            always true, or one beyond the limits above, which keep parsing and judging within milliseconds.
    """
    if len(text) > LONGEST:
        raise ConditionError(LONGEST, f"this is longer than {LONGEST:,} characters", "split it into several rules")
    condition = _Parser(text, facts, base_currency).parse()
    if not _possible(condition, facts):
        raise ConditionError(0, "this can never be true", "look for two bounds that exclude each other")
    if not _possible(_negated(condition), facts):
        raise ConditionError(0, "this is always true", "every payment would break the rule: look for a bound below all")
    return condition


def python_expression(condition: Condition) -> str:
    """Return a Python expression over variables named like the facts, with `_ratio` in scope; true where the rule is
    broken."""
    match condition:
        case Combination(operator, parts):
            return "(" + f" {operator} ".join(python_expression(part) for part in parts) + ")"
        case Comparison(left, operator, right):
            present = [f"{name} is not None" for name in _names(left) | _names(right)]
            compared = f"{_python_term(left)} {_PYTHON_OPERATORS.get(operator, operator)} {_python_term(right)}"
            return "(" + " and ".join([*sorted(present), compared]) + ")"
        case OneOf(name, _, str(other), negated):
            operator_text = "!=" if negated else "=="
            return f"({name} is not None and {other} is not None and {name} {operator_text} {other})"
        case OneOf(name, values, _, negated):
            return f"({name} is not None and {name} {'not in' if negated else 'in'} {values!r})"
        case IsNull(name, negated):
            return f"({name} is {'not ' if negated else ''}None)"
        case IsTrue(name, negated):
            return f"({name} is {not negated})"


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient; infinite, with the numerator's sign, where the denominator is 0; 0 ÷ 0 is not a number."""
    if denominator:
        return numerator / denominator
    return math.copysign(math.inf, numerator) if numerator else math.nan


_PYTHON_OPERATORS = {"=": "=="}


def _python_term(term: Term) -> str:
    match term:
        case Number(value):
            return repr(int(value) if value == int(value) else value)
        case Name(name):
            return name
        case Product(left, "*", right):
            return f"({_python_term(left)} * {_python_term(right)})"
        case Product(left, _, right):
            return f"_ratio({_python_term(left)}, {_python_term(right)})"


def _names(term: Term) -> set[str]:
    match term:
        case Name(name):
            return {name}
        case Product(left, _, right):
            return _names(left) | _names(right)
        case _:
            return set()


def _negated(condition: Condition) -> Condition:
    match condition:
        case Combination(operator, parts):
            return Combination("or" if operator == "and" else "and", tuple(_negated(part) for part in parts))
        case Comparison(left, operator, right):
            return Comparison(left, _OPPOSITE[operator], right)
        case OneOf(name, values, other, negated):
            return OneOf(name, values, other, not negated)
        case IsNull(name, negated):
            return IsNull(name, not negated)
        case IsTrue(name, negated):
            return IsTrue(name, not negated)


_Pending = tuple[Condition, "_Pending"] | None
"""Further conditions that must hold, as a linked list."""


def _possible(condition: Condition, facts: Mapping[str, Fact]) -> bool:
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
                return self._within(atom, facts)._present(*_names(left), *_names(right))
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


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'(?:[^']|'')*')
      | (?P<sign><=|>=|!=|<>|[<>=(),*/])""",
    re.VERBOSE,
)
_TIME_UNITS = {
    "second": 1,
    "seconds": 1,
    "minute": 60,
    "minutes": 60,
    "hour": 3600,
    "hours": 3600,
}
_KEYWORDS = {"and", "or", "not", "in", "is", "null"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConditionError(
                position, f"unexpected {text[position]!r}", "a condition is written like count_1m >= 4"
            )
        if match.lastgroup != "space":
            word = match.group()
            yield _Token("sign" if word == "<>" else str(match.lastgroup), "!=" if word == "<>" else word, position)
        position = match.end()
    yield _Token("end", "the end", len(text))


class _Parser:
    def __init__(self, text: str, facts: Mapping[str, Fact], base_currency: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0
        self._facts = facts
        self._base_currency = base_currency

    def parse(self) -> Condition:
        condition = self._any_of()
        if self._peek().kind != "end":
            raise self._unexpected("and, or, or the end")
        return condition

    def _any_of(self) -> Condition:
        return self._combined("or", self._all_of)

    def _all_of(self) -> Condition:
        return self._combined("and", self._not)

    def _combined(self, operator: Literal["and", "or"], part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._take_word(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Combination(operator, tuple(parts))

    def _not(self) -> Condition:
        start = self._peek()
        if self._take_word("not"):
            with self._deeper(start):
                return _negated(self._not())
        if self._take_sign("("):
            with self._deeper(start):
                inner = self._any_of()
            self._expect_sign(")")
            return inner
        return self._atom()

    @contextmanager
    def _deeper(self, start: _Token) -> Iterator[None]:
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
        start = self._peek()
        if start.kind == "name" and start.text.lower() not in _KEYWORDS:
            fact = self._fact(start)
            following = self._tokens[self._next + 1]
            if following.text.lower() == "is":
                self._next += 2
                negated = self._take_word("not")
                self._expect_word("null")
                return IsNull(start.text, negated)
            if fact.kind in ("text", "flag"):
                self._next += 1
                return self._text(start) if fact.kind == "text" else IsTrue(start.text, negated=False)
        return self._comparison()

    def _text(self, start: _Token) -> Condition:
        negated = self._take_word("not")
        if self._take_word("in"):
            self._expect_sign("(")
            values = [self._constant_text(start)]
            while self._take_sign(","):
                values.append(self._constant_text(start))
            self._expect_sign(")")
            return OneOf(start.text, tuple(values), None, negated)
        operator = self._peek()
        if negated or operator.text not in ("=", "!="):
            raise self._unexpected(f"=, != or in, since {start.text} is text")
        self._next += 1
        right = self._peek()
        if right.kind == "name" and self._fact(right).kind == "text":
            self._next += 1
            return OneOf(start.text, (), right.text, operator.text == "!=")
        return OneOf(start.text, (self._constant_text(start),), None, operator.text == "!=")

    def _constant_text(self, start: _Token) -> str:
        token = self._peek()
        if token.kind != "text":
            raise ConditionError(
                token.position, f"{start.text} is text, but {quoted(token.text)} is not", "write it in quotes: 'DE'"
            )
        self._next += 1
        return token.text[1:-1].replace("''", "'")

    def _comparison(self) -> Condition:
        left, left_dimension = self._term()
        operator = self._peek()
        if operator.text not in _OPPOSITE:
            raise self._unexpected("<, <=, >, >=, = or !=")
        self._next += 1
        right_start = self._peek()
        right, right_dimension = self._term()
        if left_dimension != right_dimension:
            raise self._units_differ(right_start, left_dimension, right_dimension)
        if not _names(left) | _names(right):
            raise ConditionError(operator.position, "two constants are compared", "compare a feature with a threshold")
        return Comparison(left, operator.text, right)

    def _units_differ(self, right: _Token, wanted: Dimension, found: Dimension) -> ConditionError:
        example = {
            MONEY: f"500.00 {self._base_currency}",
            SECONDS: "2 minutes",
            KM: "500 km",
            SPEED: "900 km/h",
            PLAIN: "a number without a unit",
        }.get(wanted, "the same unit on both sides")
        return ConditionError(
            right.position,
            f"{_IN_WORDS.get(wanted, 'a compound unit')} is compared with {_IN_WORDS.get(found, 'a compound unit')}",
            f"write {example}",
        )

    def _term(self) -> tuple[Term, Dimension]:
        term, dimension = self._factor()
        factors = 1
        while self._peek().text in ("*", "/"):
            operator = self._peek().text
            factors += 1
            if factors > MOST_FACTORS:
                raise ConditionError(
                    self._peek().position, f"more than {MOST_FACTORS} factors are in one product", "use fewer"
                )
            self._next += 1
            right, right_dimension = self._factor()
            dimension = dimension.times(right_dimension, 1 if operator == "*" else -1)
            term = Product(term, operator, right)  # type: ignore[arg-type]
        return term, dimension

    def _factor(self) -> tuple[Term, Dimension]:
        token = self._peek()
        if token.kind == "number":
            self._next += 1
            return self._number(token)
        if token.kind != "name" or token.text.lower() in _KEYWORDS:
            raise self._unexpected("a feature or a number")
        fact = self._fact(token)
        if fact.kind != "number":
            raise ConditionError(
                token.position, f"{token.text} is a {fact.kind}, not a number", "compare it with = or in, or leave it"
            )
        self._next += 1
        return Name(token.text), fact.dimension

    def _number(self, number: _Token) -> tuple[Number, Dimension]:
        if len(number.text.replace(".", "")) > MOST_DIGITS:
            raise ConditionError(
                number.position, f"{quoted(number.text)} has more than {MOST_DIGITS} digits", "use fewer"
            )
        value = float(number.text)
        unit = self._peek()
        word = unit.text.lower()
        if unit.kind == "name" and word in _TIME_UNITS:
            self._next += 1
            return self._constant(value * _TIME_UNITS[word], SECONDS, number, word)
        if unit.kind == "name" and word == "km":
            self._next += 1
            return self._kilometres(value, number)
        if unit.kind != "name" or word in _KEYWORDS:
            return self._constant(value, PLAIN, number)
        if re.fullmatch("[A-Z]{3}", unit.text):
            self._next += 1
            return self._money(number, unit)
        if unit.text not in self._facts:
            raise ConditionError(
                unit.position,
                f"unknown unit {quoted(unit.text)}",
                f"the units are {self._base_currency}, seconds, minutes, hours, km, km/h",
            )
        return self._constant(value, PLAIN, number)

    def _kilometres(self, value: float, number: _Token) -> tuple[Number, Dimension]:
        if self._peek().text == "/" and self._tokens[self._next + 1].text == "h":
            self._next += 2
            return self._constant(value / 3600, SPEED, number, "km/h")
        return self._constant(value, KM, number, "km")

    def _money(self, number: _Token, unit: _Token) -> tuple[Number, Dimension]:
        if unit.text != self._base_currency:
            raise ConditionError(
                unit.position,
                f"features hold money in {self._base_currency}, not in {unit.text}",
                f"say the threshold in {self._base_currency}",
            )
        minor = Decimal(number.text).scaleb(decimals(unit.text))
        if minor != int(minor):
            raise ConditionError(number.position, f"{number.text} {unit.text} has too many decimals", "round it")
        return self._constant(int(minor), MONEY, number, unit.text)

    @staticmethod
    def _constant(value: float, dimension: Dimension, number: _Token, unit: str = "") -> tuple[Number, Dimension]:
        text = f"{number.text} {unit}".strip()
        if value >= _LARGEST:
            raise ConditionError(number.position, f"{text} is too large", "no feature comes near it: use less")
        return Number(value, dimension, text), dimension

    def _fact(self, token: _Token) -> Fact:
        fact = self._facts.get(token.text)
        if fact is None:
            near = get_close_matches(token.text, self._facts, n=1)
            what_next = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._facts))}"
            raise ConditionError(token.position, f"unknown feature {quoted(token.text)}", what_next)
        if fact.unusable is not None:
            raise ConditionError(token.position, f"{token.text} can't be used in a condition", fact.unusable)
        return fact

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        taken = token.kind == "name" and token.text.lower() == word
        self._next += taken
        return taken

    def _take_sign(self, sign: str) -> bool:
        token = self._peek()
        taken = token.kind == "sign" and token.text == sign
        self._next += taken
        return taken

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise self._unexpected(word)

    def _expect_sign(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise self._unexpected(sign)

    def _unexpected(self, expected: str) -> ConditionError:
        token = self._peek()
        return ConditionError(token.position, f"found {quoted(token.text)}", f"expected {expected}")
