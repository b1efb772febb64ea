"""Screenshot of saved output: `python -m tools.screenshot make demo < demo.log > demo.svg` has that title."""

import re
import sys
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

WIDTH = 120
"""Largest width of the terminal in characters: the end of a longer line is cut off."""
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts from elsewhere: a page loads none for an image."""


def svg(title: str, lines: Sequence[str]) -> str:
    """Return a terminal that shows the lines."""
    console = Console(record=True, width=min(WIDTH, max(map(len, lines))), file=StringIO())
    for line in lines:
        console.print(Text(line), no_wrap=True, overflow="ellipsis")
    return FONT_FACE.sub("", console.export_svg(title=title, unique_id="terminal"))


if __name__ == "__main__":
    saved = sys.stdin.buffer.read().decode("utf-8")
    sys.stdout.buffer.write(svg(" ".join(sys.argv[1:]), saved.splitlines()).encode())
