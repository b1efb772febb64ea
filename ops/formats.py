"""Formats aligned plain-text tables, the same in a terminal and in a pipe."""

from collections.abc import Sequence

from ops.masking import harmless


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format one line per row under the headings, columns as wide as their widest cell; cells can't harm the
    terminal."""
    lines = [list(headings), *([harmless(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
