"""Parses a features declaration: the language of `sliding_features`, which computes the features in the JVM.

    count_10m    = count() over 10 minutes                 -- payments of the card, this one included
    declined_10m = count() over 10 minutes where status = 'declined'
    previous_country = previous(country)

Features are separated by commas or newlines. `jvm/src/millrace/features/Declaration.java` is the same parser with the
same errors; `tests/cluster/jvm/test_sliding_features.py` checks that they agree.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from msgspec import inspect

from events import Payment

Kind = Literal["text", "integer", "double", "other"]
"""Kind of a column's values, as features see it; `other` is what no feature can use."""

Unit = Literal["count", "money", "seconds", "km", "text", "number", "list"]
"""Unit of a feature's value; `money` is minor units of the base currency."""

HOUR_MS = 3_600_000
LONGEST_WINDOW_MS = 24 * HOUR_MS
MOST_RECENT = 50
OUTPUT_FLAGS = ("is_duplicate", "is_late", "is_truncated")
RESERVED_NAMES = (*OUTPUT_FLAGS, "rowtime")


@dataclass(frozen=True)
class Where:
    """Condition of a feature: only events whose text `column` equals `value` count."""

    column: str
    value: str


@dataclass(frozen=True)
class Feature:
    """One declared feature."""

    name: str
    aggregate: str
    columns: tuple[str, ...]
    window_ms: int | None
    """Length of the sliding window in milliseconds; None for the aggregates that use the previous event."""
    where: Where | None
    unit: Unit
    limit: int | None = None
    """Maximum number of values that `recent` keeps."""


class DeclarationError(ValueError):
    """A declaration can't be used; the text gives the position, what is wrong, and what would be right."""

    def __init__(self, line: int, column: int, what: str, what_next: str) -> None:
        super().__init__(f"line {line}, column {column}: {what}; {what_next}")
        self.line = line
        self.column = column
        self.what = what
        self.what_next = what_next


@dataclass(frozen=True)
class _Aggregate:
    usage: str
    arguments: tuple[Literal["any", "number", "text", "limit"], ...]
    windowed: bool


_AGGREGATES = {
    "count": _Aggregate("count() over 10 minutes", (), True),
    "sum": _Aggregate("sum(column) over 10 minutes", ("number",), True),
    "min": _Aggregate("min(column) over 10 minutes", ("number",), True),
    "max": _Aggregate("max(column) over 10 minutes", ("number",), True),
    "avg": _Aggregate("avg(column) over 10 minutes", ("number",), True),
    "distinct": _Aggregate("distinct(column) over 10 minutes", ("any",), True),
    "previous": _Aggregate("previous(column)", ("any",), False),
    "seconds_since_previous": _Aggregate("seconds_since_previous()", (), False),
    "distance_km_from_previous": _Aggregate(
        "distance_km_from_previous(latitude_column, longitude_column)", ("number", "number"), False
    ),
    "recent": _Aggregate("recent(column, 20) over 10 minutes", ("text", "limit"), True),
}
_UNITS_MS = {
    "second": 1_000,
    "seconds": 1_000,
    "minute": 60_000,
    "minutes": 60_000,
    "hour": HOUR_MS,
    "hours": HOUR_MS,
}
_KINDS_THAT_FIT: dict[str, tuple[Kind, ...]] = {
    "any": ("text", "integer", "double"),
    "number": ("integer", "double"),
    "text": ("text",),
}
_WANTED = {"any": "text or a number", "number": "a number", "text": "text"}
_KIND_IN_WORDS = {"text": "text", "integer": "an integer", "double": "a double", "other": "neither text nor a number"}


def parse_declaration(text: str, columns: Mapping[str, Kind]) -> tuple[Feature, ...]:
    """Parse the features that `text` declares over a table with these columns, in the order of the text.

    Raises:
        DeclarationError: the text or its use of the columns is wrong.
    """
    return _Parser(text, columns).parse()


def payment_columns() -> dict[str, Kind]:
    """Return the columns of the payments table that features can use; `event_time` is the table's row time."""
    columns = {field.name: _kind(field.type) for field in inspect.type_info(Payment).fields}  # type: ignore[attr-defined]
    return columns | {"event_time": "other"}


def payment_declaration() -> str:
    """Return the text of `payment_features.txt`; double the quotes in it to put it into an SQL string."""
    return resources.files(__package__).joinpath("payment_features.txt").read_text(encoding="utf-8")


def payment_features() -> tuple[Feature, ...]:
    """Return the features that the fraud job computes for every payment."""
    return parse_declaration(payment_declaration(), payment_columns())


def _kind(field_type: inspect.Type) -> Kind:
    match field_type:
        case inspect.Metadata(inner):
            return _kind(inner)
        case inspect.UnionType(types):
            kinds = {_kind(member) for member in types if not isinstance(member, inspect.NoneType)}
            return kinds.pop() if len(kinds) == 1 else "other"
        case inspect.StrType() | inspect.LiteralType():
            return "text"
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "double"
        case _:
            return "other"


@dataclass(frozen=True)
class _Token:
    kind: Literal["name", "number", "text", "sign", "newline", "end"]
    text: str
    line: int
    column: int

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        return "the end of the line" if self.kind == "newline" else f"'{self.text}'"

    def error(self, what: str, what_next: str) -> DeclarationError:
        return DeclarationError(self.line, self.column, what, what_next)


_SHAPE = "a feature is written name = aggregate(column) over 10 minutes where column = 'text'"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|--[^\n]*)
      | (?P<newline>\n)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]+)
      | (?P<text>'(?:[^'\n]|'')*+')
      | (?P<sign>[=(),])""",
    re.VERBOSE,
)


def _tokens(text: str) -> Iterator[_Token]:
    line, line_start, position = 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        column = position - line_start + 1
        if match is None:
            raise _unreadable(text[position], line, column)
        position = match.end()
        kind = match.lastgroup
        if kind != "space":
            yield _Token(kind, match.group(), line, column)  # type: ignore[arg-type]
        if kind == "newline":
            line, line_start = line + 1, position
    yield _Token("end", "", line, len(text) - line_start + 1)


def _unreadable(character: str, line: int, column: int) -> DeclarationError:
    if character == "'":
        return DeclarationError(line, column, "the text that starts here doesn't end on its line", "close it with '")
    return DeclarationError(line, column, f"unexpected '{character}'", _SHAPE)


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, Kind]) -> None:
        self._columns = columns
        self._tokens = list(_tokens(text))
        self._next = 0
        self._usage = _SHAPE

    def parse(self) -> tuple[Feature, ...]:
        features: list[Feature] = []
        lines: dict[str, int] = {}
        while self._skip_separators():
            self._usage = _SHAPE
            name = self._new_name(lines)
            lines[name.text] = name.line
            features.append(self._feature(name.text))
        if not features:
            raise self._peek().error("no feature is declared", _SHAPE)
        return tuple(features)

    def _skip_separators(self) -> bool:
        while self._peek().kind == "newline" or self._peek().text == ",":
            self._next += 1
        return self._peek().kind != "end"

    def _new_name(self, lines: Mapping[str, int]) -> _Token:
        token = self._expect("name", "the name of a feature")
        if not re.fullmatch("[a-z][a-z0-9_]*", token.text):
            raise token.error(
                f"the name '{token.text}' is not in lower_snake_case",
                "use small letters, digits and _, and start with a letter",
            )
        taken_by = self._taken_by(token.text, lines)
        if taken_by:
            raise token.error(f"the name '{token.text}' is taken by {taken_by}", "give the feature another name")
        return token

    def _taken_by(self, name: str, lines: Mapping[str, int]) -> str | None:
        if name in lines:
            return f"the feature on line {lines[name]}"
        if name in RESERVED_NAMES:
            return "an output column that is always there"
        return "an input column" if name in self._columns else None

    def _feature(self, name: str) -> Feature:
        self._expect_sign("=")
        function = self._expect("name", "an aggregate")
        aggregate_name = function.text.lower()
        aggregate = _AGGREGATES.get(aggregate_name)
        if aggregate is None:
            raise function.error(
                f"unknown aggregate '{function.text}'", _suggestion(aggregate_name, list(_AGGREGATES), "aggregates")
            )
        self._usage = f"{aggregate_name} is written {aggregate.usage}"
        columns, limit = self._arguments(aggregate_name, aggregate)
        window_ms = self._window() if aggregate.windowed else None
        where = self._where()
        self._end_of_feature()
        return Feature(
            name=name,
            aggregate=aggregate_name,
            columns=columns,
            window_ms=window_ms,
            where=where,
            unit=self._unit(aggregate_name, columns),
            limit=limit,
        )

    def _arguments(self, aggregate_name: str, aggregate: _Aggregate) -> tuple[tuple[str, ...], int | None]:
        columns: list[str] = []
        limit = None
        self._expect_sign("(")
        for position, wanted in enumerate(aggregate.arguments):
            if position > 0:
                self._expect_sign(",")
            if wanted == "limit":
                limit = self._limit(aggregate_name)
            else:
                columns.append(self._column(aggregate_name, wanted))
        self._expect_sign(")")
        return tuple(columns), limit

    def _column(self, user: str, wanted: str) -> str:
        token = self._expect("name", "a column")
        kind = self._columns.get(token.text)
        if kind is None:
            raise token.error(f"unknown column '{token.text}'", _suggestion(token.text, list(self._columns), "columns"))
        kinds = _KINDS_THAT_FIT[wanted]
        if kind not in kinds:
            fitting = [name for name, its_kind in self._columns.items() if its_kind in kinds]
            raise token.error(
                f"{user} needs {_WANTED[wanted]}, but '{token.text}' is {_KIND_IN_WORDS[kind]}",
                f"the columns that fit are {', '.join(fitting)}" if fitting else "no column fits",
            )
        return token.text

    def _limit(self, aggregate_name: str) -> int:
        token = self._expect("number", "a number")
        limit = _whole_number(token)
        if not 1 <= limit <= MOST_RECENT:
            raise token.error(
                f"{aggregate_name} keeps 1 to {MOST_RECENT} values, not {token.text}",
                f"use a number from 1 to {MOST_RECENT}",
            )
        return limit

    def _window(self) -> int:
        self._expect_word("over")
        number = self._expect("number", "a number")
        unit = self._expect("name", "a unit of time")
        unit_ms = _UNITS_MS.get(unit.text.lower())
        if unit_ms is None:
            raise unit.error(f"unknown unit '{unit.text}'", f"the units are {', '.join(_UNITS_MS)}")
        window_ms = _whole_number(number) * unit_ms
        if window_ms == 0:
            raise number.error(f"a window of {number.text} {unit.text} is empty", "use at least 1")
        if window_ms > LONGEST_WINDOW_MS:
            raise number.error(f"a window of {number.text} {unit.text} is too long", "the longest window is 24 hours")
        return window_ms

    def _where(self) -> Where | None:
        if not self._is_word("where"):
            return None
        self._next += 1
        column = self._column("where", "text")
        self._expect_sign("=")
        value = self._expect("text", "a text in quotes").text
        return Where(column, value[1:-1].replace("''", "'"))

    def _end_of_feature(self) -> None:
        token = self._peek()
        if token.kind not in ("newline", "end") and token.text != ",":
            raise self._unexpected("the end of the feature")

    def _unit(self, aggregate: str, columns: Sequence[str]) -> Unit:
        match aggregate:
            case "count" | "distinct":
                return "count"
            case "seconds_since_previous":
                return "seconds"
            case "distance_km_from_previous":
                return "km"
            case "recent":
                return "list"
            case _ if self._columns[columns[0]] == "text":
                return "text"
            case _:
                return "money" if columns[0].endswith("_minor") else "number"

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _expect(self, kind: str, in_words: str) -> _Token:
        token = self._peek()
        if token.kind != kind:
            raise self._unexpected(in_words)
        self._next += 1
        return token

    def _expect_sign(self, sign: str) -> None:
        if self._peek().kind != "sign" or self._peek().text != sign:
            raise self._unexpected(f"'{sign}'")
        self._next += 1

    def _expect_word(self, word: str) -> None:
        if not self._is_word(word):
            raise self._unexpected(f"'{word}'")
        self._next += 1

    def _is_word(self, word: str) -> bool:
        return self._peek().kind == "name" and self._peek().text.lower() == word

    def _unexpected(self, expected: str) -> DeclarationError:
        return self._peek().error(f"expected {expected} but found {self._peek()}", self._usage)


def _whole_number(token: _Token) -> int:
    if len(token.text) > 9:
        raise token.error(f"the number {token.text} is too long", "use at most 9 digits")
    return int(token.text)


def _suggestion(wrong: str, known: Sequence[str], plural: str) -> str:
    distances = [_edit_distance(wrong, name) for name in known]
    nearest = min(distances, default=len(wrong))
    if nearest <= max(2, len(wrong) // 3):
        return f"did you mean '{known[distances.index(nearest)]}'?"
    return f"the {plural} are {', '.join(known)}"


def _edit_distance(left: str, right: str) -> int:
    """Return the Levenshtein distance."""
    previous = list(range(len(right) + 1))
    for i, left_character in enumerate(left, 1):
        current = [i]
        for j, right_character in enumerate(right, 1):
            substituted = previous[j - 1] + (left_character != right_character)
            current.append(min(substituted, previous[j] + 1, current[j - 1] + 1))
        previous = current
    return previous[-1]
