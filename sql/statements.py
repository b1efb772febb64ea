"""What is in a SQL file? Its statements, each with its line: enough of SQL to split a file and to see what it names."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sql import SqlFileError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*(?!\+).*?\*/)
    |(?P<text>'(?:[^']|'')*'|/\*\+.*?\*/)
    |(?P<name>`(?:[^`]|``)*`)
    |(?P<word>[^\W\d]\w*)
    |(?P<unclosed>'|`|/\*)
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ENDS_FROM_CLAUSE = {"WHERE", "GROUP", "ORDER", "HAVING", "UNION", "INTERSECT", "EXCEPT", "WINDOW", "LIMIT", "SELECT"}
_ENDS_NAME = {"AS", "(", "WITH", "SELECT", "VALUES", "="}
_LABEL_WORDS = 7


@dataclass(frozen=True)
class Token:
    """A word, a name, a literal, a hint or a sign; space and comments are none."""

    text: str
    offset: int
    kind: str

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.offset + len(self.text)

    @property
    def keyword(self) -> str:
        """The word in capitals; of what can't be a keyword, its text."""
        return self.text.upper() if self.kind == "word" else self.text

    @property
    def name(self) -> str | None:
        """What it names, if it can name something."""
        return self.text.strip("`") if self.kind in ("word", "name") else None


@dataclass(frozen=True)
class Statement:
    """One statement, from its first word on and without the semicolon behind it."""

    text: str
    file: str
    """What the file is called in an error."""
    line: int
    """Where its first word stands, from 1."""

    @cached_property
    def tokens(self) -> Sequence[Token]:
        """What it consists of."""
        return list(_tokens(self.text, self.file, self.line))

    @property
    def label(self) -> str:
        """How it begins, such as `CREATE TEMPORARY VIEW sold_lines`."""
        words: list[str] = []
        for token in self.tokens[:_LABEL_WORDS]:
            if words and token.keyword in _ENDS_NAME:
                break
            words.append(token.text)
        return " ".join(words)

    @property
    def place(self) -> str:
        """File and line, and how it begins."""
        return f"{self.file}, line {self.line}, {self.label}"

    @property
    def first_word(self) -> str:
        """In capitals."""
        return self.tokens[0].keyword

    def starts_with(self, *keywords: str) -> bool:
        """Whether these are its first words."""
        return [token.keyword for token in self.tokens[: len(keywords)]] == list(keywords)

    def creates(self) -> str | None:
        """The table or view that it creates."""
        words = [token.keyword for token in self.tokens[:_LABEL_WORDS]]
        if self.first_word != "CREATE" or not {"TABLE", "VIEW"} & set(words):
            return None
        at = next(position for position, word in enumerate(words) if word in {"TABLE", "VIEW"}) + 1
        if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
            at += 3
        return self.tokens[at].name if at < len(self.tokens) else None

    def is_table(self) -> bool:
        """Whether it is a CREATE TABLE."""
        return self.creates() is not None and "VIEW" not in [token.keyword for token in self.tokens[:_LABEL_WORDS]]

    def setting(self) -> tuple[str, str] | None:
        """Key and value of `SET 'key' = 'value'`."""
        found = re.fullmatch(r"SET\s+'((?:[^']|'')*)'\s*=\s*'((?:[^']|'')*)'", self.text, re.IGNORECASE)
        return (found[1].replace("''", "'"), found[2].replace("''", "'")) if found else None

    def options(self) -> dict[str, str]:
        """Of a CREATE TABLE: what stands in its WITH."""
        texts = [token.text if token.kind == "text" or token.text == "=" else "" for token in self.tokens]
        pairs = zip(texts, texts[1:], texts[2:], strict=False)
        return {_unquoted(key): _unquoted(value) for key, equals, value in pairs if equals == "=" and key and value}

    def references(self) -> set[str]:
        """Names where a table or view is named: behind FROM, JOIN, INTO and TABLE; not all of them need be one."""
        return set(_references(self.tokens)) - self._own_steps()

    def target(self) -> str | None:
        """The table that an INSERT writes to."""
        words = [token.keyword for token in self.tokens[:_LABEL_WORDS]]
        return self.tokens[words.index("INTO") + 1].name if self.first_word == "INSERT" and "INTO" in words else None

    def says(self, *keywords: str) -> bool:
        """Whether these words follow each other somewhere in it."""
        words = [token.keyword for token in self.tokens]
        return any(words[at : at + len(keywords)] == list(keywords) for at in range(len(words)))

    def is_statement_set(self) -> bool:
        """Whether it is `EXECUTE STATEMENT SET BEGIN … END`."""
        return self.starts_with("EXECUTE", "STATEMENT", "SET", "BEGIN")

    def inserts(self) -> list["Statement"]:
        """What stands between the BEGIN and the END of a statement set.

        Raises:
            SqlFileError: a semicolon is missing.
        """
        inside = self.tokens[4:-1]
        if inside and inside[-1].text != ";":
            place = _place(self.text, inside[-1].offset, self.file, self.line)
            raise SqlFileError(f"{place}: a semicolon is missing before END")
        return list(_statements(self.text, inside, self.file, self.line))

    def _own_steps(self) -> set[str]:
        """Names of its `WITH name AS (…), name AS (…)`."""
        triples = zip(self.tokens, self.tokens[1:], self.tokens[2:], strict=False)
        return {name.name for name, as_, opens in triples if as_.keyword == "AS" and opens.text == "(" and name.name}


def split(text: str, file: str) -> list[Statement]:
    """The statements of a file.

    Args:
        file: what it is called in an error.

    Raises:
        SqlFileError: a quote, a comment or a BEGIN isn't closed.
    """
    return list(_statements(text, list(_tokens(text, file, 1)), file, 1))


def head_comment(text: str) -> str:
    """The comment that a file begins with, without its dashes."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return "\n".join(lines)


def _statements(text: str, tokens: Sequence[Token], file: str, line: int) -> Iterator[Statement]:
    """Cut at the semicolons that aren't between a BEGIN and its END."""
    opened: list[Token] = []
    current: list[Token] = []
    for token in tokens:
        if token.text == ";" and not opened:
            yield from _statement(text, current, file, line)
            current = []
            continue
        current.append(token)
        if token.keyword in {"BEGIN", "CASE"}:
            opened.append(token)
        elif token.keyword == "END" and opened:
            opened.pop()
    if opened:
        raise SqlFileError(f"{_place(text, opened[0].offset, file, line)}: this {opened[0].keyword} has no END")
    yield from _statement(text, current, file, line)


def _statement(text: str, tokens: Sequence[Token], file: str, line: int) -> Iterator[Statement]:
    if tokens:
        start = tokens[0].offset
        yield Statement(text[start : tokens[-1].end], file, _line(text, start, line))


def _tokens(text: str, file: str, line: int) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "unclosed":
            raise SqlFileError(f"{_place(text, found.start(), file, line)}: this {found[0]} is never closed")
        if kind != "space":
            yield Token(found[0], found.start(), kind)


def _place(text: str, offset: int, file: str, line: int) -> str:
    return f"{file}, line {_line(text, offset, line)}"


def _line(text: str, offset: int, line: int) -> int:
    return line + text.count("\n", 0, offset)


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _references(tokens: Sequence[Token]) -> Iterator[str]:
    in_from = [False]
    """By depth of parentheses: whether a comma there separates tables."""
    for before, token in pairwise(tokens):
        introduces = before.keyword in {"FROM", "JOIN", "INTO", "TABLE"}
        if before.text == "(":
            in_from.append(False)
        elif before.text == ")" and len(in_from) > 1:
            in_from.pop()
        elif introduces:
            in_from[-1] = before.keyword in {"FROM", "JOIN"}
        elif before.keyword in _ENDS_FROM_CLAUSE:
            in_from[-1] = False
        if token.name and (introduces or (before.text == "," and in_from[-1])):
            yield token.name
