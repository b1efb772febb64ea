"""What may a rule's condition say? Parses it, checks its units, finds what can never or always be true.

    count_10m >= 4 and (declined_10m >= 2 or base_amount_minor > 5 * avg_24h)
    km_from_previous / seconds_from_previous > 900 km/h and channel = 'card_present'
    sum_1h > 500.00 EUR and previous_country is not null and country not in ('DE', 'FR')

A comparison with a missing value is not true, and neither is its opposite (SQL's three-valued logic).
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, NamedTuple

Value = int | float | str | bool | tuple[str, ...] | None


class Dimension(NamedTuple):
    """Exponents of what a number is measured in; all zero for a plain number."""

    money: int = 0
    seconds: int = 0
    km: int = 0

    def times(self, other: "Dimension", sign: int = 1) -> "Dimension":
        """Dimension of a product (`sign` 1) or a quotient (`sign` −1)."""
        return Dimension(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


PLAIN = Dimension()
MONEY = Dimension(money=1)
SECONDS = Dimension(seconds=1)
KM = Dimension(km=1)
SPEED = Dimension(km=1, seconds=-1)

_IN_WORDS = {PLAIN: "a plain number", MONEY: "money", SECONDS: "a time", KM: "a distance", SPEED: "a speed"}
_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}
"""ISO 4217 minor units where they are not 2."""


@dataclass(frozen=True)
class Fact:
    """Something that a condition can ask about."""

    kind: Literal["number", "text", "flag", "list"]
    dimension: Dimension = PLAIN
    lowest: float = -math.inf
    """No value is below it: lets a threshold that can't be reached be found."""
    unusable: str | None = None
    """Why the fact can't be used in a condition, if it can't, and what to use instead."""


class ConditionError(ValueError):
    """A condition can't be used; the text says where in it, what is wrong, and what would be right."""

    def __init__(self, position: int, what: str, what_next: str) -> None:
        super().__init__(f"at character {position + 1}: {what}; {what_next}")
        self.position = position


@dataclass(frozen=True)
class Number:
    """A constant in base units: minor units, seconds, kilometres."""

    value: float
    dimension: Dimension
    text: str


@dataclass(frozen=True)
class Name:
    """A fact, by name."""

    name: str


@dataclass(frozen=True)
class Product:
    """left × right, or left ÷ right."""

    left: "Term"
    operator: Literal["*", "/"]
    right: "Term"


Term = Number | Name | Product
Operator = Literal["<", "<=", ">", ">=", "=", "!="]


@dataclass(frozen=True)
class Comparison:
    """left operator right, over numbers."""

    left: Term
    operator: Operator
    right: Term


@dataclass(frozen=True)
class OneOf:
    """A text fact is (or is not) among constants, or equal to another text fact."""

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
    """The condition that `text` says about `facts`; money in it must be in `base_currency`.

    Raises:
        ConditionError: syntax, an unknown fact, a unit that doesn't fit, or a condition that can never be true or
            is always true.
    """
    condition = _Parser(text, facts, base_currency).parse()
    if _impossible(condition, facts):
        raise ConditionError(0, "this can never be true", "look for two bounds that exclude each other")
    if _impossible(_negated(condition), facts):
        raise ConditionError(0, "this is always true", "every payment would break the rule: look for a bound below all")
    return condition


def python_expression(condition: Condition) -> str:
    """A Python expression over variables named as the facts, with `_ratio` in scope; true where the rule is broken."""
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
    """A quotient that is infinite, with the numerator's sign, where the denominator is 0; 0 ÷ 0 is not a number."""
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


_MOST_ALTERNATIVES = 256
"""Beyond so many alternatives contradictions are not searched for."""


def _impossible(condition: Condition, facts: Mapping[str, Fact]) -> bool:
    alternatives = list(itertools.islice(_alternatives(condition), _MOST_ALTERNATIVES + 1))
    if len(alternatives) > _MOST_ALTERNATIVES:
        return False
    return all(_contradictory(atoms, facts) for atoms in alternatives)


def _alternatives(condition: Condition) -> Iterator[tuple[Atom, ...]]:
    """The condition as alternatives of atoms that must all hold (disjunctive normal form)."""
    match condition:
        case Combination("or", parts):
            for part in parts:
                yield from _alternatives(part)
        case Combination(_, parts):
            for combination in itertools.product(*(list(_alternatives(part)) for part in parts)):
                yield tuple(itertools.chain.from_iterable(combination))
        case _:
            yield (condition,)


def _contradictory(atoms: Sequence[Atom], facts: Mapping[str, Fact]) -> bool:
    return any(
        _ranges_exclude(bounds, lowest) for bounds, lowest in _bounds_by_term(atoms, facts).values()
    ) or _texts_exclude(atoms)


def _bounds_by_term(
    atoms: Sequence[Atom], facts: Mapping[str, Fact]
) -> dict[Term, tuple[list[tuple[Operator, float]], float]]:
    bounds: dict[Term, tuple[list[tuple[Operator, float]], float]] = {}
    for atom in atoms:
        if not isinstance(atom, Comparison):
            continue
        term, operator, right = atom.left, atom.operator, atom.right
        if isinstance(term, Number):
            term, operator, right = right, _MIRRORED[operator], term
        if isinstance(right, Number):
            lowest = facts[term.name].lowest if isinstance(term, Name) else -math.inf
            bounds.setdefault(term, ([], lowest))[0].append((operator, right.value))
    return bounds


def _ranges_exclude(bounds: Sequence[tuple[Operator, float]], lowest: float) -> bool:
    low, low_open, high, high_open = lowest, False, math.inf, False
    for operator, value in bounds:
        if operator in (">", ">=", "=") and (value, operator == ">") > (low, low_open):
            low, low_open = value, operator == ">"
        if operator in ("<", "<=", "=") and (value, operator != "<") < (high, not high_open):
            high, high_open = value, operator == "<"
    excluded = {value for operator, value in bounds if operator == "!="}
    return low > high or (low == high and (low_open or high_open or low in excluded))


def _texts_exclude(atoms: Sequence[Atom]) -> bool:
    allowed: dict[str, set[str]] = {}
    forbidden: dict[str, set[str]] = {}
    null: dict[str, set[bool]] = {}
    for atom in atoms:
        match atom:
            case OneOf(name, values, None, False):
                allowed[name] = allowed.get(name, set(values)) & set(values)
                null.setdefault(name, set()).add(False)
            case OneOf(name, values, None, True):
                forbidden.setdefault(name, set()).update(values)
                null.setdefault(name, set()).add(False)
            case IsNull(name, negated):
                null.setdefault(name, set()).add(not negated)
            case IsTrue(name, negated):
                null.setdefault(f"{name} is true", set()).add(not negated)
            case Comparison(left, _, right):
                for name in _names(left) | _names(right):
                    null.setdefault(name, set()).add(False)
    nothing_left = any(not values - forbidden.get(name, set()) for name, values in allowed.items())
    return nothing_left or any(len(claims) == 2 for claims in null.values())


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?)
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
        if self._take_word("not"):
            return _negated(self._not())
        if self._take_sign("("):
            inner = self._any_of()
            self._expect_sign(")")
            return inner
        return self._atom()

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
                token.position, f"{start.text} is text, but {token.text!r} is not", "write it in quotes: 'DE'"
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
        while self._peek().text in ("*", "/"):
            operator = self._peek().text
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
        value = float(number.text)
        unit = self._peek()
        word = unit.text.lower()
        if unit.kind == "name" and word in _TIME_UNITS:
            self._next += 1
            return self._constant(value * _TIME_UNITS[word], SECONDS, f"{number.text} {word}")
        if unit.kind == "name" and word == "km":
            self._next += 1
            return self._kilometres(value, number)
        if unit.kind == "name" and re.fullmatch("[A-Z]{3}", unit.text):
            self._next += 1
            return self._money(value, number, unit)
        if unit.kind == "name" and word not in _KEYWORDS and unit.text not in self._facts:
            raise ConditionError(
                unit.position,
                f"unknown unit {unit.text!r}",
                f"the units are {self._base_currency}, seconds, minutes, hours, km, km/h",
            )
        return self._constant(value, PLAIN, number.text)

    def _kilometres(self, value: float, number: _Token) -> tuple[Number, Dimension]:
        if self._peek().text == "/" and self._tokens[self._next + 1].text == "h":
            self._next += 2
            return self._constant(value / 3600, SPEED, f"{number.text} km/h")
        return self._constant(value, KM, f"{number.text} km")

    def _money(self, value: float, number: _Token, unit: _Token) -> tuple[Number, Dimension]:
        if unit.text != self._base_currency:
            raise ConditionError(
                unit.position,
                f"features hold money in {self._base_currency}, not in {unit.text}",
                f"say the threshold in {self._base_currency}",
            )
        minor = value * 10 ** _MINOR_DIGITS.get(unit.text, 2)
        if abs(minor - round(minor)) > 1e-6:
            raise ConditionError(number.position, f"{number.text} {unit.text} has too many decimals", "round it")
        return self._constant(round(minor), MONEY, f"{number.text} {unit.text}")

    @staticmethod
    def _constant(value: float, dimension: Dimension, text: str) -> tuple[Number, Dimension]:
        return Number(value, dimension, text), dimension

    def _fact(self, token: _Token) -> Fact:
        fact = self._facts.get(token.text)
        if fact is None:
            near = get_close_matches(token.text, self._facts, n=1)
            what_next = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._facts))}"
            raise ConditionError(token.position, f"unknown feature {token.text!r}", what_next)
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
        return ConditionError(token.position, f"found {token.text!r}", f"expected {expected}")
