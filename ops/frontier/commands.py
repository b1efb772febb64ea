"""Command `frontier`."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from connectors.settings import Settings
from jobs.flow import NOTIFIER, consumers
from ops.formats import table, utc
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import ARROWS
from ops.frontier.observer import Observer, Picture
from ops.health.scope import Scope

HEADINGS = ("arrow", "sink", "up to", "complete", "held by")
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 2.0
"""Time between two looks: Flink's metrics are up to a second old."""
PROGRAMS = [program.name for program in consumers()]
MAILED = "mailed, or held back by the notification policy"


@click.command("frontier")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON document.")
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0),
    default=WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for checkpoints that contain event time.",
)
@click.option(
    "--only", "names", multiple=True, type=click.Choice(PROGRAMS), help="Only arrows of this program; repeatable."
)
@click.pass_context
def frontier(context: click.Context, as_json: bool, seconds: float, names: tuple[str, ...]) -> None:
    """Show up to which event time everything is in each sink.

    Never runs ahead: what isn't surely there isn't counted. Exit status 1 if something is unknown.
    """
    # Errors of brokers are results, so the client needn't log them.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    arrows = [each for each in ARROWS if not names or each.program.name in names]
    observer, settings, end = Observer(), Settings.from_environment(), time.monotonic() + seconds
    picture = observer.observe(Scope(settings), arrows)
    while picture.may_be_known_soon() and time.monotonic() + PAUSE_SECONDS < end:
        time.sleep(PAUSE_SECONDS)
        picture = observer.observe(Scope(settings), arrows)
    click.echo(json.dumps(document(picture), indent=2, ensure_ascii=False) if as_json else in_words(picture, names))
    if picture.whole().unknown:
        context.exit(1)


def in_words(picture: Picture, names: Sequence[str] = ()) -> str:
    """Format the whole picture in a sentence, then a table of the arrows and a sentence for each kind of sink.

    Args:
        names: the only programs whose arrows were asked for, if not all were.
    """
    sinks = picture.sinks()
    of_programs = f"of {', '.join(names)} alone: " if names else ""
    rows = [(str(arrow), arrow.sink, *_cells(found)) for arrow, found in picture.arrows.items()]
    return "\n\n".join(
        [
            of_programs + _sentence(list(sinks), picture.whole()),
            table(HEADINGS, rows),
            "\n".join(of_programs + _sentence([sink], found) for sink, found in sinks.items()),
        ]
    )


def _cells(found: Frontier) -> Iterator[str]:
    yield reached(found)
    yield "" if found.unknown else "yes" if found.is_complete else "no"
    yield found.unknown or found.held_by


def reached(found: Frontier) -> str:
    """Return up to which time everything is reflected, in words."""
    if found.up_to is None:
        return "unknown" if found.unknown else "no records"
    return utc(_moment(found.up_to))


def _sentence(sinks: Sequence[str], found: Frontier) -> str:
    places = " and ".join(f"in {each}" if each != NOTIFIER.target else MAILED for each in sinks)
    if found.unknown:
        return f"up to when everything is {places} is unknown: {found.unknown}"
    if found.is_complete:
        newest = "there are no records" if found.up_to is None else f"the newest is of {reached(found)}"
        return f"everything is {places}: {newest}"
    return f"everything up to {reached(found)} is {places}; held by {found.held_by}"


def document(picture: Picture) -> dict[str, Any]:
    """Return the picture as a JSON document."""
    return {
        "at": picture.at.isoformat(),
        "whole": _entry(picture.whole()),
        "sinks": [{"sink": sink, **_entry(found)} for sink, found in picture.sinks().items()],
        "arrows": [
            {"program": arrow.program.name, "topic": arrow.topic.name, "sink": arrow.sink, **_entry(found)}
            for arrow, found in picture.arrows.items()
        ],
    }


def _entry(found: Frontier) -> dict[str, Any]:
    return {
        "up_to": None if found.up_to is None else _moment(found.up_to).isoformat(),
        "up_to_ms": found.up_to,
        "complete": found.is_complete,
        "held_by": found.held_by,
        "unknown": found.unknown,
    }


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
