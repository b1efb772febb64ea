"""How does a table look in the terminal? Aligned, plain, the same when it is piped."""

from collections.abc import Sequence

from ops.masking import harmless


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """One line a row under its headings, columns as wide as their widest cell; no cell can do harm to the terminal."""
    lines = [list(headings), *([harmless(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
