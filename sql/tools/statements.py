"""What is in a SQL file? Its statements, each with its line: enough of SQL to split a file and to see what it names."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
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
_DEFAULT_PATHS = ((), ("default_database",), ("default_catalog", "default_database"))
"""What may stand before a name that means the same without it."""
_ENDS_FROM_CLAUSE = {"WHERE", "GROUP", "ORDER", "HAVING", "UNION", "INTERSECT", "EXCEPT", "WINDOW", "LIMIT", "SELECT"}
_ENDS_NAME = {"AS", "(", "WITH", "SELECT", "VALUES", "="}
_CREATED = {"TABLE", "VIEW", "FUNCTION"}
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
        end, words = 0, 0
        for token in self.tokens:
            if words == _LABEL_WORDS or (end and (token.keyword in _ENDS_NAME or token.text.startswith("/*+"))):
                break
            end = token.end
            words += token.kind != "sign"
        return " ".join(self.text[:end].split())

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
        """The table, view or function that it creates."""
        path = self.created_path()
        return path[-1] if path else None

    def created_path(self) -> Sequence[str]:
        """What it creates, with its catalog and database if they are named; nothing if nothing."""
        words = [token.keyword for token in self.tokens[:_LABEL_WORDS]]
        if self.first_word != "CREATE" or not _CREATED & set(words):
            return ()
        at = next(position for position, word in enumerate(words) if word in _CREATED) + 1
        if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
            at += 3
        return _path(self.tokens, at)

    def is_table(self) -> bool:
        """Whether it is a CREATE TABLE."""
        words = [token.keyword for token in self.tokens[:_LABEL_WORDS]]
        return self.creates() is not None and not {"VIEW", "FUNCTION"} & set(words)

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
        """Names where a table or view is named: behind FROM, JOIN, INTO, TABLE and, in a CREATE TABLE, LIKE.

        Not all of them need be one. Those of a `WITH name AS (…)` are none, once it has ended.
        """
        introducing = {"FROM", "JOIN", "INTO", "TABLE", *(["LIKE"] if self.is_table() else [])}
        return set(_references(self.tokens, introducing))

    def mentions(self, word: str) -> bool:
        """Whether it has this word, name or text, in capitals or not."""
        return any(token.text.strip("`'").lower() == word.lower() for token in self.tokens)

    def jars(self) -> list[str]:
        """What it names by ADD JAR or USING JAR."""
        pairs = pairwise(self.tokens)
        return [_unquoted(token.text) for before, token in pairs if before.keyword == "JAR" and token.kind == "text"]

    def is_insert(self) -> bool:
        """Whether it is an INSERT."""
        return self.first_word == "INSERT" or self.starts_with("EXECUTE", "INSERT")

    def target(self) -> str | None:
        """The table that an INSERT writes to."""
        path = self.target_path()
        return path[-1] if path else None

    def target_path(self) -> Sequence[str]:
        """The table that an INSERT writes to, with its catalog and database if they are named; nothing if none."""
        words = [token.keyword for token in self.tokens[:_LABEL_WORDS]]
        behind = next((at + 1 for at, word in enumerate(words) if word in {"INTO", "OVERWRITE"}), None)
        return _path(self.tokens, behind) if self.is_insert() and behind is not None else ()

    def has_option_hints(self) -> bool:
        """Whether it has `/*+ OPTIONS(…) */` of a table."""
        return any(re.match(r"/\*\+.*\bOPTIONS\b", token.text, re.IGNORECASE | re.DOTALL) for token in self.tokens)

    def contains(self, *keywords: str) -> bool:
        """Whether these words follow each other somewhere in it."""
        words = [token.keyword for token in self.tokens]
        return any(words[at : at + len(keywords)] == list(keywords) for at in range(len(words)))

    def is_statement_set(self) -> bool:
        """Whether it is `EXECUTE STATEMENT SET BEGIN … END` or `BEGIN STATEMENT SET; … END`."""
        return self.starts_with("EXECUTE", "STATEMENT", "SET", "BEGIN") or self.starts_with("BEGIN", "STATEMENT", "SET")

    def inserts(self) -> list["Statement"]:
        """What stands between the BEGIN and the END of a statement set.

        Raises:
            SqlFileError: a semicolon is missing.
        """
        inside = self.tokens[4 if self.first_word == "EXECUTE" else 3 : -1]
        if inside and inside[-1].text != ";":
            place = _place(self.text, inside[-1].offset, self.file, self.line)
            raise SqlFileError(f"{place}: a semicolon is missing before END")
        return list(_statements(self.text, inside, self.file, self.line))


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


def default_name(path: Sequence[str]) -> str | None:
    """The name at the end of a path, if it lies in the default catalog and database."""
    return path[-1] if path and tuple(path[:-1]) in _DEFAULT_PATHS else None


def _path(tokens: Sequence[Token], at: int) -> Sequence[str]:
    """The names that stand there with dots between them."""
    names: list[str] = []
    for dot, token in zip([".", *(each.text for each in tokens[at:])], tokens[at:], strict=False):
        if dot == "." and token.name:
            names.append(token.name)
        elif token.text != ".":
            break
    return names


@dataclass
class _Scope:
    """What stands between two parentheses, or outside of all."""

    becomes: str | None = None
    """The name that it has from its end on, in `WITH name AS (…)`."""
    separates_tables: bool = False
    """Whether a comma here stands between tables."""
    steps: set[str] = field(default_factory=set)
    """Names of a WITH that have been defined in it."""


def _references(tokens: Sequence[Token], introducing: Set[str]) -> Iterator[str]:
    scopes = [_Scope()]
    for at, (before, token) in enumerate(pairwise(tokens), start=1):
        if before.keyword in introducing:
            scopes[-1].separates_tables = before.keyword in {"FROM", "JOIN"}
        elif before.keyword in _ENDS_FROM_CLAUSE:
            scopes[-1].separates_tables = False
        names_table = before.keyword in introducing or (before.text == "," and scopes[-1].separates_tables)
        if names_table and (name := default_name(_path(tokens, at))) and not any(name in each.steps for each in scopes):
            yield name
        if token.text == "(":
            named = tokens[at - 2].name if before.keyword == "AS" and at > 1 else None
            scopes.append(_Scope(becomes=named))
        elif token.text == ")" and len(scopes) > 1 and (step := scopes.pop().becomes):
            scopes[-1].steps.add(step)
