"""Outcome of one comparison, and how it is described."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Outcome of one comparison."""

    claim: str
    found: str
    holds: bool


def some(names: Iterable[str]) -> str:
    """Describe the first of some wrong items, to be appended to a count; empty if there are none."""
    ordered = sorted(set(names))
    return f"; {len(ordered):,} wrong, such as {ordered[0]}" if ordered else ""
