"""Diagram of the data flow: `python -m tools.data_flow` writes docs/data-flow.svg, and its image in the README.

One file serves light and dark: also in an `<img>`, its media query follows the reader's system. Its background is its
own, so that it can be read on a page in the other mode, too.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from connectors.kafka import topics
from jobs import flow
from local.settings import CHECKOUT
from tools.flow_layout import HEAD, INSET, OUTPUT, TARGET, Item, Layout, Way, laid_out, text_width

DIAGRAM = CHECKOUT / "docs" / "data-flow.svg"
README = CHECKOUT / "README.md"
IMAGE = re.compile(r"!\[[^\]]*\]\(docs/data-flow\.svg\)")
"""The diagram in the README, with its alternative text."""

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


def svg() -> str:
    """Return the diagram."""
    layout = laid_out(flow.PROGRAMS)
    width, height = layout.width + 2 * MARGIN, layout.height + FOOT + 2 * MARGIN
    style = {
        topic: f"topic{column % HUES}"
        for column, items in enumerate(layout.columns)
        for item in items
        if item.program
        for topic in item.writes
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img" aria-labelledby="title flow">',
        '<title id="title">Data flow of Millrace</title>',
        f'<desc id="flow">{escape(in_words())}</desc>',
        f"<style>{STYLE}{_colours()}</style>",
        f'<rect class="surface" x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="10"/>',
        f'<g transform="translate({MARGIN} {MARGIN})">',
    ]
    for ways in layout.ways:
        for way in ways:
            parts += _lines(way, style[way.topic])
    for items in layout.columns:
        for item in items:
            if item.program:
                parts += _program(item, item.program, style)
    parts += _dead_letters(layout)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def in_words() -> str:
    """Return the data flow as sentences: what each program reads, emits and fills."""
    return " ".join(
        [
            *(_sentence(program) for program in flow.PROGRAMS),
            f"Every program that reads topics emits its bad records to {topics.DEAD_LETTERS.name}.",
        ]
    )


def _sentence(program: flow.Program) -> str:
    parts = [f"reads {_listed(program.reads)}"] if program.reads else []
    parts += [f"emits {_listed(program.writes)}"] if program.writes else []
    parts += [f"writes {program.fills} ({program.target})"] if program.target else []
    return f"{program.name} {' and '.join(parts)}."


def _listed(emitted: Sequence[topics.Topic]) -> str:
    return ", ".join(topic.name for topic in emitted)


def _colours() -> str:
    light, dark = ("\n".join(rule % values[mode] for rule, values in COLOURS.items()) for mode in (0, 1))
    return f"{light}\n@media (prefers-color-scheme:dark){{\n{dark}\n}}\n"


def _lines(way: Way, style: str) -> Iterator[str]:
    """Yield a way: first what parts it from those below it, then itself."""
    source = way.source
    left = source.left + source.width - INSET if source.program else source.left
    readers = list(zip(way.readers, way.ends, strict=True))
    paths = [_path(left, way.start, way.track, reader.left, end) for reader, end in readers]
    arrows = [f"M{_n(reader.left - 6)} {_n(end - 4)}l5 4l-5 4" for reader, end in readers if reader.program]
    yield f'<path class="bridge" d="{"".join(paths)}"/>'
    yield f'<path class="way {style}" d="{"".join(paths + arrows)}"/>'


def _path(left: float, start: float, track: float, right: float, end: float) -> str:
    if start == end:
        return f"M{_n(left)} {_n(start)}H{_n(right)}"
    turn = min(TURN, abs(end - start) / 2)
    down = turn if end > start else -turn
    return (
        f"M{_n(left)} {_n(start)}H{_n(track - turn)}Q{_n(track)} {_n(start)} {_n(track)} {_n(start + down)}"
        f"V{_n(end - down)}Q{_n(track)} {_n(end)} {_n(track + turn)} {_n(end)}H{_n(right)}"
    )


def _program(item: Item, program: flow.Program, style: dict[topics.Topic, str]) -> Iterator[str]:
    left, middle = item.left, item.left + item.width / 2
    yield _box("program", left, item.top, item.width, item.height, radius=8)
    yield _text("name bold middle", middle, item.top + 19, program.name)
    yield _text("quiet middle", middle, item.top + 36, _kind(program))
    for topic in item.writes:
        yield from _pill(style[topic], left + INSET, item.leaves_at(topic), item.width - 2 * INSET, topic.name)
    if program.target:
        yield from _cylinder(
            left + INSET, item.top + HEAD + OUTPUT * len(item.writes) + 2, item.width - 2 * INSET, program
        )


def _kind(program: flow.Program) -> str:
    if program in flow.JOBS:
        return "Flink job"
    if program in flow.PIPELINES:
        return "SQL pipeline"
    return "source" if program in flow.PRODUCERS else "service"


def _cylinder(left: float, top: float, width: float, program: flow.Program) -> Iterator[str]:
    lid, height = f"a{_n(width / 2)} {LID} 0 0", TARGET - 6
    yield (
        f'<path class="target" d="M{_n(left)} {_n(top + LID)}{lid} 1 {_n(width)} 0v{height - 2 * LID}'
        f'{lid} 1 {_n(-width)} 0z"/>'
    )
    yield f'<path class="target" d="M{_n(left)} {_n(top + LID)}{lid} 0 {_n(width)} 0"/>'
    yield _text("name middle", left + width / 2, top + 2 * LID + 18, program.target)


def _pill(style: str, left: float, middle: float, width: float, name: str) -> Iterator[str]:
    yield _box(style, left, middle - PILL / 2, width, PILL, radius=PILL / 2)
    yield _text("name middle", left + width / 2, middle + 4.5, name)


def _dead_letters(layout: Layout) -> Iterator[str]:
    """Yield the last line: where dead letters come from, their topic, what replays them, and where they go."""
    name, replay = topics.DEAD_LETTERS.name, "ops dead-letters replay"
    top = layout.height + MARGIN
    middle = top + (FOOT - MARGIN) / 2 + 6
    widths = [150, text_width(name), text_width(replay), 130]
    gap = (layout.width - sum(widths)) / 3
    lefts = [0.0]
    for width in widths[:3]:
        lefts.append(lefts[-1] + width + gap)
    yield f'<path class="frame" d="M{-MARGIN} {_n(top)}h{_n(layout.width + 2 * MARGIN)}"/>'
    for left, width in zip(lefts[:3], widths, strict=False):
        arrow = left + width + gap
        yield f'<path class="way bad" d="M{_n(left + width)} {_n(middle)}H{_n(arrow - 1)}m-5 -4l5 4l-5 4"/>'
    yield _text("quiet", lefts[0], middle - 4, "bad records of every")
    yield _text("quiet", lefts[0], middle + 13, "program that reads")
    yield from _pill("bad", lefts[1], middle, widths[1], name)
    yield _box("program", lefts[2], middle - PILL / 2 - 3, widths[2], PILL + 6, radius=8)
    yield _text("name bold middle", lefts[2] + widths[2] / 2, middle + 4.5, replay)
    yield _text("quiet", lefts[3] + 8, middle - 4, "each once, back to")
    yield _text("quiet", lefts[3] + 8, middle + 13, "its own topic")


def _box(style: str, left: float, top: float, width: float, height: float, *, radius: float) -> str:
    return (
        f'<rect class="{style}" x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(radius)}"/>'
    )


def _text(style: str, left: float, baseline: float, text: str) -> str:
    return f'<text class="{style}" x="{_n(left)}" y="{_n(baseline)}">{escape(text)}</text>'


def _n(number: float) -> str:
    """Return a number with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")


def image() -> str:
    """Return the README's image of the diagram: its alternative text is the data flow in words."""
    return textwrap.fill(f"![Data flow: {in_words()}](docs/{DIAGRAM.name})", 120, break_on_hyphens=False)


def main() -> None:
    """Write the diagram, and its image in the README."""
    DIAGRAM.write_text(svg(), "utf-8")
    README.write_text(IMAGE.sub(lambda _: image(), README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
