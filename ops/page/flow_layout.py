"""Layout of the data flow's diagram: columns, places, and a way for each topic from its writer to its readers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, pairwise
from random import Random
from statistics import fmean
from typing import TypeVar

from connectors.kafka.topics import Topic
from jobs.flow import Program

T = TypeVar("T")

CHARACTER = 7.83
"""Width of a character of the fixed-width font, at its size of 13."""
HEAD = 44
"""Height of a program's name and kind, above what it writes."""
OUTPUT = 30
"""Height of a topic in its writer."""
TARGET = 48
"""Height of a target in its program."""
BOTTOM = 8
INSET = 7
"""Distance between a program's edge and what it writes."""
PORT = 16
"""Distance between two ways that arrive at a program, or that pass a column side by side."""
TRACK = 8
"""Distance between two ways that turn between two columns."""
ARROW = 17
"""Length of the straight end with the arrowhead."""
GAP = 18
"""Distance between two programs of a column, or between a program and a topic that passes it."""
ATTEMPTS = 12
"""Number of layouts that are tried."""
STEP = 6
"""Distance by which an item moves so that a way needs no turn."""


@dataclass(eq=False)
class Item:
    """A program in its column, or a topic that passes the column on its way to later ones."""

    reads: Sequence[Topic]
    writes: Sequence[Topic]
    program: Program | None = None
    left: float = 0.0
    top: float = 0.0
    width: float = 0.0

    @property
    def height(self) -> float:
        """Height; a passing topic has none."""
        if self.program is None:
            return 0
        written = OUTPUT * len(self.writes) + (TARGET if self.program.target else 0)
        return max(HEAD + written + BOTTOM, PORT * (len(self.reads) + 1))

    def leaves_at(self, topic: Topic) -> float:
        """Return the height at which a topic that it writes starts."""
        return self.top + (HEAD + OUTPUT * (self.writes.index(topic) + 0.5) if self.program else 0)

    def arrives_at(self, topic: Topic) -> float:
        """Return the height at which a topic that it reads ends."""
        return self.top + self.height / 2 + PORT * (self.reads.index(topic) - (len(self.reads) - 1) / 2)


@dataclass(eq=False)
class Way:
    """A topic between two columns: it starts at one height, turns on a track of its own, and ends at some heights."""

    topic: Topic
    source: Item
    readers: Sequence[Item]
    track: float = 0.0
    """Distance from the left edge."""

    def __post_init__(self) -> None:
        self.start = self.source.leaves_at(self.topic)
        self.ends = [reader.arrives_at(self.topic) for reader in self.readers]
        self.top = min([self.start, *self.ends])
        self.bottom = max([self.start, *self.ends])


@dataclass
class Layout:
    """Columns from left to right, and the ways between each and the next."""

    columns: list[list[Item]]
    ways: list[list[Way]] = field(default_factory=list)

    @property
    def width(self) -> float:
        """Width."""
        return self.columns[-1][0].left + self.columns[-1][0].width

    @property
    def height(self) -> float:
        """Height."""
        return max(item.top + item.height for items in self.columns for item in items)


def laid_out(programs: Sequence[Program], beside: float = 0, least: float = 0) -> Layout:
    """Return the layout of programs, each after those whose topics it reads: the best of some that are tried.

    Args:
        beside: width that is left free beside the name of each topic.
        least: width of the narrowest program.
    """
    layouts = [_tried(_columns(programs), Random(attempt), beside, least) for attempt in range(ATTEMPTS)]
    return min(layouts, key=lambda layout: sum(_cost(ways, _crossings(ways)) for ways in layout.ways))


def _tried(columns: list[list[Item]], random: Random, beside: float, least: float) -> Layout:
    """Return a layout of the columns that no move of an item makes better, from a random order."""
    for items in columns:
        random.shuffle(items)
    _settle(columns, lambda: _least_cost(columns))
    _place(columns)
    highest = min(items[0].top for items in columns)
    layout = Layout(columns)
    for items in columns:
        for item in items:
            item.top -= highest
    left = 0.0
    for items, readers in zip(columns, [*columns[1:], []], strict=True):
        width = max(least, *(_width(item.program, beside) for item in items if item.program))
        for item in items:
            item.left, item.width = left, width
        ways = _ways(items, readers)
        _settle([ways], partial(_crossings, ways))
        turning = [way for way in ways if way.top < way.bottom]
        for number, way in enumerate(turning, start=1):
            way.track = left + width + TRACK * number
        left += width + TRACK * (len(turning) + 1) + ARROW
        layout.ways.append(ways)
    return layout


def text_width(name: str) -> float:
    """Return the width of a name and the space around it."""
    return CHARACTER * len(name) + 20


def _columns(programs: Sequence[Program]) -> list[list[Item]]:
    """Return each program in the column after those that it reads from; one that writes no topic in the last."""
    writers = {topic: program for program in programs for topic in program.writes}
    column: dict[Program, int] = {}
    for program in programs:
        column[program] = max((column[writers[topic]] + 1 for topic in program.reads), default=0)
    last = max(column.values())
    column |= {program: last for program in programs if not program.writes}
    found: list[list[Item]] = [[] for _ in range(last + 1)]
    for program in programs:
        found[column[program]].append(Item(program.reads, program.writes, program))
    for topic, writer in writers.items():
        read_in = [column[program] for program in programs if topic in program.reads]
        for passed in range(column[writer] + 1, max(read_in, default=0)):
            found[passed].append(Item((topic,), (topic,)))
    return found


def _width(program: Program, beside: float) -> float:
    """Return the width that a program's texts need."""
    topics = [text_width(topic.name) + beside for topic in program.writes]
    return max(text_width(program.name), max([*topics, text_width(program.target)]) + 2 * INSET)


def _settle(orders: Sequence[list[T]], cost: Callable[[], float]) -> None:
    """Move each item of the lists to the place with the least cost, until no move helps."""
    least, before = cost(), float("inf")
    while least < before:
        before = least
        for order in orders:
            for item in tuple(order):
                best = order.index(item)
                for place in range(len(order)):
                    _move(order, item, place)
                    if (now := cost()) < least - 1e-6:
                        least, best = now, place
                _move(order, item, best)


def _move(order: list[T], item: T, place: int) -> None:
    order.remove(item)
    order.insert(place, item)


def _least_cost(columns: Sequence[list[Item]]) -> float:
    """Return the cost of an order of items, if each two ways have the better order of their tracks."""
    _place(columns)
    channels = [_ways(*pair) for pair in pairwise(columns)]
    return sum(
        _cost(ways, sum(min(_meetings(a, b), _meetings(b, a)) for a, b in combinations(ways, 2))) for ways in channels
    )


def _cost(ways: Sequence[Way], crossings: float) -> float:
    """Return the number of crossings, and a little for turns and lengths."""
    heights = [abs(way.start - end) for way in ways for end in way.ends]
    return crossings + sum(height > 0 for height in heights) / 5 + sum(heights) / 1000


def _crossings(ways: Sequence[Way]) -> float:
    """Return the number of crossings of ways, whose tracks are in this order."""
    return sum(_meetings(*pair) for pair in combinations(ways, 2))


def _place(columns: Sequence[list[Item]]) -> None:
    """Place each item as near as possible to the middle of what it reads, column after column."""
    _stack(columns[0], [0.0] * len(columns[0]))
    for left, right in pairwise(columns):
        heights = {topic: item.leaves_at(topic) for item in left for topic in item.writes}
        for item in right:
            item.reads = sorted(item.reads, key=heights.__getitem__)
        _stack(right, [fmean(heights[topic] for topic in item.reads) - item.height / 2 for item in right])
        for item in right:
            step = min((heights[topic] - item.arrives_at(topic) for topic in item.reads), key=abs)
            item.top += step if abs(step) <= STEP else 0


def _stack(items: Sequence[Item], wanted: Sequence[float]) -> None:
    """Place the items from top to bottom, with the least squares of distances from the wanted places.

    Items that would overlap move together, by the mean of their wishes (isotonic regression).
    """
    offsets = [0.0]
    for above, below in pairwise(items):
        both_pass = above.program is None and below.program is None
        offsets.append(offsets[-1] + above.height + (PORT if both_pass else GAP))
    groups: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        groups.append([want - offset])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    shifts = [fmean(group) for group in groups for _ in group]
    for item, shift, offset in zip(items, shifts, offsets, strict=True):
        item.top = float(round(shift + offset))


def _ways(left: Sequence[Item], right: Sequence[Item]) -> list[Way]:
    ways = [
        Way(topic, item, [reader for reader in right if topic in reader.reads])
        for item in left
        for topic in item.writes
    ]
    return [way for way in ways if way.readers]


def _meetings(first: Way, second: Way) -> float:
    """Return the number of crossings of two ways, the track of the first being left of the second's.

    Lines that would lie on one another count much more.
    """
    found = 0
    for end in first.ends:
        found += (second.top < end < second.bottom) + 10 * (abs(end - second.start) < PORT / 3)
    return found + (first.top < second.start < first.bottom)
