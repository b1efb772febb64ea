"""Drawing of the data flow, from its layout: programs with the topics that they write, and a way for each topic.

The document's diagram and the live page share it. The page adds the state of each program and the rate of each topic,
and makes each program a link.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.kafka import topics
from connectors.kafka.topics import Topic
from jobs import flow
from ops.page.elements import Element, make
from ops.page.elements import written as _n
from ops.page.flow_layout import HEAD, INSET, OUTPUT, TARGET, Item, Layout, Way, text_width

MARGIN = 14
TURN = 7
"""Largest radius of a turn."""
PILL = 24
"""Height of a topic."""
LID = 5
"""Half of the height of a target's upper side."""
FOOT = 68
"""Height of the part about dead letters."""
HUES = 3
"""Number of colours of topics: one for each column of writers, then again from the first."""
STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
text.name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
text.bold{font-weight:600}
text.middle{text-anchor:middle}
path.way{fill:none;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
path.bridge{fill:none;stroke-width:6}
"""
COLOURS = {
    ".surface{fill:%s;stroke:%s}": (("#ffffff", "#d1d9e0"), ("#0d1117", "#3d444d")),
    ".frame{stroke:%s}": (("#d1d9e0",), ("#3d444d",)),
    ".bridge{stroke:%s}": (("#ffffff",), ("#0d1117",)),
    "text{fill:%s}": (("#1f2328",), ("#f0f6fc",)),
    ".quiet{fill:%s}": (("#59636e",), ("#9ea7b1",)),
    ".program{fill:%s;stroke:%s}": (("#f6f8fa", "#afb8c1"), ("#1c2128", "#4d5560")),
    ".target{fill:%s;stroke:%s}": (("#dfe4e9", "#59636e"), ("#373e47", "#9198a1")),
    ".topic0{fill:%s;stroke:%s}": (("#ddf4ff", "#0969da"), ("#0c2a4d", "#4493f8")),
    ".topic1{fill:%s;stroke:%s}": (("#f6ecff", "#8250df"), ("#2d1c52", "#b083f0")),
    ".topic2{fill:%s;stroke:%s}": (("#dafbe1", "#1a7f37"), ("#0d3319", "#3fb950")),
    ".bad{fill:%s;stroke:%s}": (("#ffebe9", "#cf222e"), ("#4b1113", "#f85149")),
}
"""Rules with colours, in light and in dark."""


SIGNS = {"✓": "l3 4 5 -9", "✗": "m0 -4l8 8m0 -8l-8 8"}
"""Paths of signs, each about eight units wide, from its left end."""


@dataclass(frozen=True)
class Note:
    """What is known of a program at one moment."""

    sign: str
    """State as a sign."""
    style: str
    """Class of its sign and its frame."""
    line: str
    """Second line of its box, in the place of its kind."""
    link: str
    """Where its box leads."""


@dataclass(frozen=True)
class Notes:
    """What is known of the data flow at one moment; nothing in a document."""

    programs: Mapping[str, Note] = field(default_factory=dict)
    """By name."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """Texts beside the names of topics."""


NO_NOTES = Notes()


def stylesheet() -> str:
    """Return the rules of style, for light and for dark."""
    light, dark = ("\n".join(rule % values[mode] for rule, values in COLOURS.items()) for mode in (0, 1))
    return f"{STYLE}{light}\n@media (prefers-color-scheme:dark){{\n{dark}\n}}\n"


def size(layout: Layout) -> tuple[float, float]:
    """Return width and height of the whole drawing."""
    return layout.width + 2 * MARGIN, layout.height + FOOT + 2 * MARGIN


def drawn(layout: Layout, notes: Notes = NO_NOTES) -> Iterator[Element]:
    """Yield the drawing's parts: what lies below comes first."""
    style = {
        topic: f"topic{column % HUES}"
        for column, items in enumerate(layout.columns)
        for item in items
        if item.program
        for topic in item.writes
    }
    for ways in layout.ways:
        for way in ways:
            yield from _lines(way, style[way.topic])
    for items in layout.columns:
        for item in items:
            if item.program:
                yield from _program(item, item.program, style, notes)
    yield from _dead_letters(layout, notes)


def kind(program: flow.Program) -> str:
    """Return what a program is, in words."""
    if program in flow.JOBS:
        return "Flink job"
    if program in flow.PIPELINES:
        return "SQL pipeline"
    return "source" if program in flow.PRODUCERS else "service"


def sign(text: str, style: str, middle: float, baseline: float) -> Element:
    """Return a sign; those that many fonts lack are drawn."""
    if text not in SIGNS:
        return _text(f"bold middle {style}", middle, baseline, text)
    return make("path", class_=f"sign {style}", d=f"M{_n(middle - 4)} {_n(baseline - 4)}{SIGNS[text]}")


def _lines(way: Way, style: str) -> Iterator[Element]:
    """Yield a way: first what parts it from those below it, then itself."""
    source = way.source
    left = source.left + source.width - INSET if source.program else source.left
    readers = list(zip(way.readers, way.ends, strict=True))
    paths = [_path(left, way.start, way.track, reader.left, end) for reader, end in readers]
    arrows = [f"M{_n(reader.left - 6)} {_n(end - 4)}l5 4l-5 4" for reader, end in readers if reader.program]
    yield make("path", class_="bridge", d="".join(paths))
    yield make("path", class_=f"way {style}", d="".join(paths + arrows))


def _path(left: float, start: float, track: float, right: float, end: float) -> str:
    if start == end:
        return f"M{_n(left)} {_n(start)}H{_n(right)}"
    turn = min(TURN, abs(end - start) / 2)
    down = turn if end > start else -turn
    return (
        f"M{_n(left)} {_n(start)}H{_n(track - turn)}Q{_n(track)} {_n(start)} {_n(track)} {_n(start + down)}"
        f"V{_n(end - down)}Q{_n(track)} {_n(end)} {_n(track + turn)} {_n(end)}H{_n(right)}"
    )


def _program(item: Item, program: flow.Program, style: Mapping[Topic, str], notes: Notes) -> Iterator[Element]:
    left, middle = item.left, item.left + item.width / 2
    note = notes.programs.get(program.name)
    box = [
        _box(f"program {note.style}" if note else "program", left, item.top, item.width, item.height, radius=8),
        _text("name bold middle", middle, item.top + 19, program.name),
        _text("quiet middle", middle, item.top + 36, note.line if note else kind(program)),
    ]
    for topic in item.writes:
        beside = notes.topics.get(topic.name, "")
        height, width = item.leaves_at(topic), item.width - 2 * INSET
        box += _pill(style[topic], left + INSET, height, width, name=topic.name, beside=beside)
    if program.target:
        box += _cylinder(left + INSET, item.top + HEAD + OUTPUT * len(item.writes) + 2, item.width - 2 * INSET, program)
    if note is None:
        yield from box
    else:
        box.append(sign(note.sign, note.style, left + 14, item.top + 19))
        yield make("a", ([each, " "] for each in box), href=note.link)  # the spaces part words that are read aloud


def _cylinder(left: float, top: float, width: float, program: flow.Program) -> Iterator[Element]:
    lid, height = f"a{_n(width / 2)} {LID} 0 0", TARGET - 6
    sides = f"v{height - 2 * LID}{lid} 1 {_n(-width)} 0z"
    yield make("path", class_="target", d=f"M{_n(left)} {_n(top + LID)}{lid} 1 {_n(width)} 0{sides}")
    yield make("path", class_="target", d=f"M{_n(left)} {_n(top + LID)}{lid} 0 {_n(width)} 0")
    yield _text("name middle", left + width / 2, top + 2 * LID + 18, program.target)


def _pill(style: str, left: float, middle: float, width: float, *, name: str, beside: str) -> Iterator[Element]:
    yield _box(style, left, middle - PILL / 2, width, PILL, radius=PILL / 2)
    if beside:
        yield _text("name", left + 10, middle + 4.5, name)
        yield _text("quiet end", left + width - 10, middle + 4.5, beside)
    else:
        yield _text("name middle", left + width / 2, middle + 4.5, name)


def _dead_letters(layout: Layout, notes: Notes) -> Iterator[Element]:
    """Yield the last line: where dead letters come from, their topic, what replays them, and where they go."""
    name, replay = topics.DEAD_LETTERS.name, "ops dead-letters replay"
    top = layout.height + MARGIN
    middle = top + (FOOT - MARGIN) / 2 + 6
    beside = notes.topics.get(name, "")
    widths = [150, text_width(f"{name}  {beside}" if beside else name), text_width(replay), 130]
    gap = (layout.width - sum(widths)) / 3
    lefts = [0.0]
    for width in widths[:3]:
        lefts.append(lefts[-1] + width + gap)
    yield make("path", class_="frame", d=f"M{-MARGIN} {_n(top)}h{_n(layout.width + 2 * MARGIN)}")
    for left, width in zip(lefts[:3], widths, strict=False):
        arrow = left + width + gap
        yield make(
            "path",
            class_="way bad",
            d=f"M{_n(left + width)} {_n(middle)}H{_n(arrow - 1)}m-5 -4l5 4l-5 4",
        )
    yield _text("quiet", lefts[0], middle - 4, "bad records of every")
    yield _text("quiet", lefts[0], middle + 13, "program that reads")
    yield from _pill("bad", lefts[1], middle, widths[1], name=name, beside=beside)
    yield _box("program", lefts[2], middle - PILL / 2 - 3, widths[2], PILL + 6, radius=8)
    yield _text("name bold middle", lefts[2] + widths[2] / 2, middle + 4.5, replay)
    yield _text("quiet", lefts[3] + 8, middle - 4, "each once, back to")
    yield _text("quiet", lefts[3] + 8, middle + 13, "its own topic")


def _box(style: str, left: float, top: float, width: float, height: float, *, radius: float) -> Element:
    return make("rect", class_=style, x=left, y=top, width=width, height=height, rx=radius)


def _text(style: str, left: float, baseline: float, text: str) -> Element:
    return make("text", text, class_=style, x=left, y=baseline)


def listed(emitted: Sequence[Topic]) -> str:
    """Return the names of topics, separated by commas."""
    return ", ".join(topic.name for topic in emitted)
