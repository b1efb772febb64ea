"""Formats of tables, money and times, the same in a terminal and in a pipe."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from events.currencies import decimals
from ops.masking import harmless


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format one line per row under the headings, columns as wide as their widest cell; cells can't harm the
    terminal."""
    lines = [list(headings), *([harmless(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def money(amount_minor: int, currency: str) -> str:
    """Format an amount in minor units, e.g. `1,234.50 EUR`."""
    places = decimals(currency)
    return f"{Decimal(amount_minor).scaleb(-places):,.{places}f} {currency}"


def utc(moment: datetime) -> str:
    """Format a time, which must be in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def time_in_words(event_time: int) -> str:
    """Format UTC milliseconds; 0 is the beginning of time."""
    return "the beginning" if event_time == 0 else utc(datetime.fromtimestamp(event_time / 1000, UTC))


def now_ms() -> int:
    """Return the current time in UTC milliseconds."""
    return time.time_ns() // 1_000_000
