"""Diagram of the data flow: `python -m tools.data_flow` writes docs/data-flow.svg, and its image in the README.

One file serves light and dark: also in an `<img>`, its media query follows the reader's system. Its background is its
own, so that it can be read on a page in the other mode, too.
"""

import re
import textwrap
from xml.sax.saxutils import escape

from connectors.kafka import topics
from jobs import flow
from local.settings import CHECKOUT
from ops.page.elements import written, xml
from ops.page.flow_drawing import MARGIN, drawn, listed, size, stylesheet
from ops.page.flow_layout import laid_out

DIAGRAM = CHECKOUT / "docs" / "data-flow.svg"
README = CHECKOUT / "README.md"
IMAGE = re.compile(r"!\[[^\]]*\]\(docs/data-flow\.svg\)")
"""The diagram in the README, with its alternative text."""


def svg() -> str:
    """Return the diagram."""
    layout = laid_out(flow.PROGRAMS)
    width, height = size(layout)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {written(width)} {written(height)}" '
        f'width="{written(width)}" height="{written(height)}" role="img" aria-labelledby="title flow">',
        '<title id="title">Data flow of Millrace</title>',
        f'<desc id="flow">{escape(in_words())}</desc>',
        f"<style>{stylesheet()}</style>",
        f'<rect class="surface" x="0.5" y="0.5" width="{written(width - 1)}" height="{written(height - 1)}" rx="10"/>',
        f'<g transform="translate({MARGIN} {MARGIN})">',
        *map(xml, drawn(layout)),
    ]
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
    parts = [f"reads {listed(program.reads)}"] if program.reads else []
    parts += [f"emits {listed(program.writes)}"] if program.writes else []
    parts += [f"writes {program.fills} ({program.target})"] if program.target else []
    return f"{program.name} {' and '.join(parts)}."


def image() -> str:
    """Return the README's image of the diagram: its alternative text is the data flow in words."""
    return textwrap.fill(f"![Data flow: {in_words()}](docs/{DIAGRAM.name})", 120, break_on_hyphens=False)


def main() -> None:
    """Write the diagram, and its image in the README."""
    DIAGRAM.write_text(svg(), "utf-8")
    README.write_text(IMAGE.sub(lambda _: image(), README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
