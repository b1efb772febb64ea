"""Facts that a condition can refer to, and the dimensions of their values."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Value = int | float | str | bool | tuple[str, ...] | None
"""Value of a fact; None if it is missing."""


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

DIMENSIONS_IN_WORDS = {PLAIN: "a plain number", MONEY: "money", SECONDS: "a time", KM: "a distance", SPEED: "a speed"}


@dataclass(frozen=True)
class Fact:
    """A value that a condition can refer to."""

    kind: Literal["number", "text", "flag", "list"]
    dimension: Dimension = PLAIN
    lowest: float = -math.inf
    """Lower bound of its values, which makes it possible to find thresholds that can't be reached."""
    unusable: str | None = None
    """Why the fact can't be used in a condition, and what to use instead; None if it can be used."""
