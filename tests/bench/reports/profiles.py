"""Reads profiles (stacks with their times) for flame_graph.py; knows no matplotlib.

Two forms: the HTML page of async-profiler, which is what Flink's profiler gives, and collapsed stacks, a line of frames
between semicolons and a number of samples, which is what py-spy's `raw` is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_PAGE_FRAME = re.compile(r"^f\((\d+),(\d+),(\d+),\d+,'(.*?)'(?:,[\d,]*)?\)$", re.MULTILINE)
LEAST_SHARE = 0.003
"""Minimum width of a frame that is drawn: narrower ones are unreadable."""


@dataclass(frozen=True)
class Frame:
    """A function, as it was called from the one below it."""

    level: int
    """Depth of the call, from 1 on; level 0 is the whole profile."""
    left: float
    """Share of all samples that are to its left."""
    width: float
    """Share of all samples in which it was on the stack there."""
    name: str


def read(text: str) -> list[Frame]:
    """Return the frames of a profile of either form, callers before those that they call.

    Raises:
        ValueError: it is neither.
    """
    found = list(_of_page(text) if "<html" in text[:1000] else _of_stacks(text.splitlines()))
    if not found:
        raise ValueError("no frames: neither a page of async-profiler nor collapsed stacks")
    return [frame for frame in found if frame.width >= LEAST_SHARE]


def above(frames: Sequence[Frame], name: str) -> list[Frame]:
    """Return only the frames above the lowest functions whose name contains a text, close together as the whole.

    Raises:
        ValueError: there is none.
    """
    roots: list[Frame] = []
    for frame in frames:
        if name in frame.name and not any(_holds(root, frame) for root in roots):
            roots.append(frame)
    if not roots:
        raise ValueError(f"no function has {name!r} in its name")
    total = sum(root.width for root in roots)
    found, left = [], 0.0
    for root in roots:
        for frame in frames:
            if frame is root or _holds(root, frame):
                moved = (left + frame.left - root.left) / total
                found.append(Frame(frame.level - root.level + 1, moved, frame.width / total, frame.name))
        left += root.width
    return [frame for frame in found if frame.width >= LEAST_SHARE]


def _holds(root: Frame, frame: Frame) -> bool:
    inside = root.left <= frame.left and frame.left + frame.width <= root.left + root.width + 1e-9
    return frame.level > root.level and inside


def _of_page(page: str) -> Iterator[Frame]:
    frames = [(int(level), int(left), int(width), name) for level, left, width, name in _PAGE_FRAME.findall(page)]
    total = max((width for level, _, width, _ in frames if level == 0), default=1)
    for level, left, width, name in frames:
        if level:
            yield Frame(level, left / total, width / total, _short(name.replace("\\'", "'")))


def _of_stacks(lines: Iterable[str]) -> Iterator[Frame]:
    stacks = []
    for line in lines:
        frames, _, samples = line.rpartition(" ")
        if not samples.isdigit():
            raise ValueError(f"no stack with its number of samples: {line[:80]!r}")
        # Threads that were in no function of the language have a line without frames.
        if frames:
            stacks.append((tuple(map(_short, frames.split(";"))), int(samples)))
    stacks.sort()
    total = sum(samples for _, samples in stacks)
    yield from _tree(stacks, 1, 0, total)


def _tree(stacks: list[tuple[tuple[str, ...], int]], level: int, left: int, total: int) -> Iterator[Frame]:
    for name, group in groupby(stacks, key=lambda each: each[0][level - 1] if len(each[0]) >= level else ""):
        same = list(group)
        width = sum(samples for _, samples in same)
        if name:
            yield Frame(level, left / total, width / total, name)
            yield from _tree(same, level + 1, left, total)
        left += width


def _short(name: str) -> str:
    """Return the class and method of a Java frame without its package, or the function and file of a Python one."""
    java = name.rsplit("/", maxsplit=1)[-1] if re.match(r"^[\w$]+(/[\w$]+)+", name) else name
    return re.sub(r"_\[[jik01]\]$", "", java)
