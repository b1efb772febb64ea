"""Rows that `gather_parts` must emit for parts in the order of their arrival, written from its specification.

- Of a key's wholes the one counts of which a part came first; parts of others are as if they had not come.
- Of two parts with one number the last counts; of two *later* ones likewise. A later one that misses something still
  replaces the one before it.
- When the last of the whole's parts has come, revision 1 has their values, without any later one.
- What the whole reads: if something is missing in some parts, and all of those have later ones, the same with these in
  their place; else what its parts have. Whenever that differs from the last row, it is the next revision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Part:
    """A row of the input, but for its key."""

    whole: str
    number: int
    parts: int
    missing: str | None = None
    later: bool | None = None
    line: Mapping[str, Any] | None = None
    amount: int | None = None
    name: str | None = None
    moment: int = 0


@dataclass(frozen=True)
class Gathered:
    """A row of the output, but for its key."""

    whole: str
    missing: Sequence[str]
    lines: Sequence[Mapping[str, Any]]
    amount: int | None
    name: str | None
    revision: int


def gathered(arrivals: Iterable[Part]) -> list[Gathered]:
    """Return the rows for the parts of one key.

    Args:
        arrivals: in the order of their arrival.
    """
    rows: list[Gathered] = []
    first: dict[int, Part] = {}
    later: dict[int, Part] = {}
    whole = ""
    for part in arrivals:
        whole = whole or part.whole
        if part.whole != whole:
            continue
        (later if part.later else first)[part.number] = part
        if len(first) < part.parts:
            continue
        if not rows:
            rows.append(_row(_in_order(first), 1))
        reads = _row(_reads(first, later), len(rows))
        if reads != rows[-1]:
            rows.append(replace(reads, revision=len(rows) + 1))
    return rows


def _reads(first: Mapping[int, Part], later: Mapping[int, Part]) -> Sequence[Part]:
    """Return the parts that count now."""
    found = {number: part for number, part in later.items() if not part.missing}
    missing = [number for number, part in first.items() if part.missing]
    is_found = all(number in found for number in missing)
    return _in_order({**first, **{number: found[number] for number in missing}} if is_found else first)


def _in_order(parts: Mapping[int, Part]) -> Sequence[Part]:
    return [part for _, part in sorted(parts.items())]


def _row(parts: Sequence[Part], revision: int) -> Gathered:
    amounts = [part.amount for part in parts if part.amount is not None]
    return Gathered(
        whole=parts[0].whole,
        missing=list(dict.fromkeys(part.missing for part in parts if part.missing)),
        lines=[part.line for part in parts if part.line],
        amount=sum(amounts) if amounts else None,
        name=next((part.name for part in parts if part.name is not None), None),
        revision=revision,
    )
