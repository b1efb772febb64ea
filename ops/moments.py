"""Parses and formats times on the command line."""

import re
import time
from datetime import UTC, datetime

import click

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Moment(click.ParamType[int]):
    """Command-line parameter for an ISO time with zone, as UTC milliseconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert to UTC milliseconds."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-03-01T12:00:00Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write {value}Z for UTC", param, ctx)
        return round(moment.timestamp() * 1000)


class MomentOrAge(Moment):
    """Command-line parameter for an ISO time with zone, or an age: 90s, 15m, 1h, 2d."""

    name = "TIME|AGE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert to UTC milliseconds."""
        if age := re.fullmatch(r"(\d{1,9})([smhd])", str(value)):
            return time.time_ns() // 1_000_000 - int(age[1]) * _UNITS_MS[age[2]]
        return super().convert(value, param, ctx)


def in_words(event_time: int) -> str:
    """Format UTC milliseconds for people; 0 is the beginning of time."""
    if event_time == 0:
        return "the beginning"
    return datetime.fromtimestamp(event_time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
