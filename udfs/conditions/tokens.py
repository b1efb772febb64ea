"""Splits the text of a condition into tokens, which the parsers read from left to right."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from udfs.conditions.errors import ConditionError, quoted

KEYWORDS = {"and", "or", "not", "in", "is", "null"}

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'(?:[^']|'')*')
      | (?P<sign><=|>=|!=|<>|[<>=(),*/])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A name, number, text or sign of a condition, or its end."""

    kind: str
    """Name of a group of the pattern; `end` after the last character."""
    text: str
    position: int

    def is_name(self) -> bool:
        """Return whether it is the name of a fact or unit."""
        return self.kind == "name" and self.text.lower() not in KEYWORDS


class Tokens:
    """Tokens of a condition, and the place up to which they have been read."""

    def __init__(self, text: str) -> None:
        """
        Raises:
            ConditionError: a character starts no token.
        """
        self._tokens = list(_split(text))
        self._next = 0

    @property
    def current(self) -> Token:
        """The first token that has not been read."""
        return self._tokens[self._next]

    @property
    def following(self) -> Token:
        """The token after the current one, which must not be the end."""
        return self._tokens[self._next + 1]

    def take(self) -> Token:
        """Read the current token."""
        token = self.current
        self._next += 1
        return token

    def take_word(self, word: str) -> bool:
        """Read the current token if it is this word; return whether it was."""
        taken = self.current.kind == "name" and self.current.text.lower() == word
        self._next += taken
        return taken

    def take_sign(self, sign: str) -> bool:
        """Read the current token if it is this sign; return whether it was."""
        taken = self.current.kind == "sign" and self.current.text == sign
        self._next += taken
        return taken

    def expect_word(self, word: str) -> None:
        """Read this word.

        Raises:
            ConditionError: another token is there.
        """
        if not self.take_word(word):
            raise self.unexpected(word)

    def expect_sign(self, sign: str) -> None:
        """Read this sign; otherwise like `expect_word`."""
        if not self.take_sign(sign):
            raise self.unexpected(sign)

    def unexpected(self, expected: str) -> ConditionError:
        """Return the error that the current token is not what was expected."""
        return ConditionError(self.current.position, f"found {quoted(self.current.text)}", f"expected {expected}")


def _split(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConditionError(
                position, f"unexpected {text[position]!r}", "a condition is written like count_1m >= 4"
            )
        if match.lastgroup != "space":
            word = match.group()
            yield Token("sign" if word == "<>" else str(match.lastgroup), "!=" if word == "<>" else word, position)
        position = match.end()
    yield Token("end", "the end", len(text))
