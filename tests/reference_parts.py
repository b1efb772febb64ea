"""What `gather_parts` must send, written from its specification, to be read: all parts of a key at once, in any order.

- Of a key's wholes the one counts of which a part came first; parts of others are as if they had not come.
- Of two parts with one number the first counts; of two *later* ones likewise. A later one that misses something still
  is as if it had not come.
- When the last of the whole's parts has come, revision 1 says what they say.
- If something was missing in some of them: when all is there and the last of *their* later ones has come, revision 2
  says the same with those in their place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """What goes out for the parts of one key, given in the order of their arrival."""
    usable = [part for part in arrivals if not (part.later and part.missing)]
    ours = [part for part in usable if part.whole == usable[0].whole]
    first = _first_of_each_number(part for part in ours if not part.later)
    later = _first_of_each_number(part for part in ours if part.later)
    if not ours or len(first) < ours[0].parts:
        return []
    rows = [_row(list(first.values()), 1)]
    incomplete = [number for number, part in first.items() if part.missing]
    if incomplete and all(number in later for number in incomplete):
        rows.append(_row([later[number] if part.missing else part for number, part in first.items()], 2))
    return rows


def _first_of_each_number(parts: Iterable[Part]) -> dict[int, Part]:
    """By number, the least first."""
    found: dict[int, Part] = {}
    for part in parts:
        found.setdefault(part.number, part)
    return dict(sorted(found.items()))


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
