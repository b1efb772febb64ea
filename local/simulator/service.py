"""Common parts of the simulated services: their options, their clock, and their errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

import click

from connectors.kafka.topics import FUTURE_LIMIT, Topic
from connectors.postgres.client import DatabaseError
from connectors.settings import Settings, SettingsError
from local.simulator.clock import Clock
from local.simulator.faults import Faults
from local.simulator.ledger_file import NO_LEDGER, LedgerError
from local.simulator.publisher import PublishError
from local.simulator.shop.database import ShopError
from local.simulator.world.places import BASE_CURRENCY, DAY_MS
from local.simulator.world.timetable import OptionsError, Timetable

MOST_LATE_MS = 2 * DAY_MS

_Option = Callable[[Callable[..., None]], Callable[..., None]]


@dataclass(frozen=True, kw_only=True)
class RunArguments:
    """Command-line arguments of the order and payment services; see `run_options`."""

    rate: float
    seconds: float
    seed: int
    start: datetime | None
    speed: float | None
    duplicates: float
    out_of_order_seconds: float
    late: float
    bad: float
    clock_skew_seconds: float
    ledger: Path
    quiet: bool

    @property
    def start_ms(self) -> int:
        """Start that the arguments set or, in real time, now."""
        return int(self.start.replace(tzinfo=UTC).timestamp() * 1000) if self.start else time.time_ns() // 1_000_000

    @property
    def clock_speed(self) -> float | None:
        """Speed for `publish`: None in real time; by default as fast as possible in simulated time.

        Raises:
            OptionsError: a speed without a start.
        """
        if self.start is None and self.speed is not None:
            raise OptionsError("--speed needs --start: real time has only one speed")
        return (self.speed or 0.0) if self.start else None

    @property
    def faults(self) -> Faults:
        """Faults that the arguments set."""
        return Faults(
            duplicates=self.duplicates,
            out_of_order_seconds=self.out_of_order_seconds,
            late=self.late,
            bad=self.bad,
            clock_skew_seconds=self.clock_skew_seconds,
        )


def run_options(what: str, rate: float) -> _Option:
    """Return the command-line options of a service that publishes `what`."""
    share = click.FloatRange(0, 1)
    return _options(
        *_pace_options(what, rate),
        click.option(
            "--start",
            type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
            help="Simulate time from then on (UTC). Without it, time is real.",
        ),
        click.option(
            "--speed", type=click.FloatRange(min=0), help="Simulated seconds a second; 0, the default: at once."
        ),
        click.option(
            "--duplicates", type=share, default=0.0, help="Share sent again a few seconds later, as a new event."
        ),
        click.option(
            "--out-of-order-seconds",
            type=click.FloatRange(min=0),
            default=0.0,
            help="Maximum delay of the records that are out of order.",
        ),
        click.option("--late", type=share, default=0.0, help="Share that arrives later than that, some by over a day."),
        click.option("--bad", type=share, default=0.0, help="Share followed by a record that can't be read."),
        click.option("--clock-skew-seconds", default=0.0, help="Seconds by which the service's clock is ahead."),
        *_output_options("what was sent, one JSON line a record"),
    )


def real_time_options(what: str, rate: float, content: str) -> _Option:
    """Return the command-line options of a service that does `what` in real time only, with a ledger of `content`."""
    return _options(*_pace_options(what, rate), *_output_options(content))


def _pace_options(what: str, rate: float) -> tuple[_Option, ...]:
    return (
        click.option("--rate", default=rate, show_default=True, help=f"{what.capitalize()} a second."),
        click.option("--seconds", default=60.0, show_default=True, help="Duration; 0: until Ctrl-C."),
        click.option("--seed", default=7, show_default=True, help="Seed; runs side by side need different ones."),
    )


def _output_options(content: str) -> tuple[_Option, ...]:
    return (
        click.option(
            "--ledger",
            type=click.Path(dir_okay=False, path_type=Path),
            default=NO_LEDGER,
            help=f"New file for the ledger: {content}.",
        ),
        click.option("--quiet", is_flag=True, help="Don't show progress."),
    )


def _options(*options: _Option) -> _Option:
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(options), command)


def clock_for(timetable: Timetable, speed: float | None, topic: Topic, before_ms: int) -> Clock:
    """Return the run's clock; a real one if `speed` is None.

    Args:
        before_ms: how far before its start the run's oldest event time lies.

    Raises:
        OptionsError: Kafka would refuse the run's records, or soon delete them.
    """
    if speed is None:
        return Clock(timetable.start_ms, speed=1, real=True)
    now_ms = time.time() * 1000
    if topic.retention_ms > 0 and timetable.start_ms - before_ms < now_ms - topic.retention_ms:
        raise OptionsError(
            f"the run's event times begin on {_date(timetable.start_ms - before_ms)}, but {topic.name} are deleted"
            f" after {topic.retention_ms // DAY_MS} days: a later --start is needed"
        )
    lasts_ms = timetable.seconds * 1000 / speed if speed else 0.0
    if timetable.end_ms > now_ms + lasts_ms + FUTURE_LIMIT.total_seconds() * 1000:
        raise OptionsError("the run's event times reach into the future, where Kafka refuses them: start it earlier")
    return Clock(timetable.start_ms, speed)


def service_settings() -> Settings:
    """Return the settings, after checking that their base currency is that of the simulated world.

    Raises:
        OptionsError: it isn't.
    """
    settings = Settings.from_environment()
    if settings.base_currency != BASE_CURRENCY:
        raise OptionsError(
            f"the simulated services know rates to {BASE_CURRENCY} only: MILLRACE_BASE_CURRENCY can't be"
            f" {settings.base_currency} with them"
        )
    return settings


@contextmanager
def explaining_errors() -> Iterator[None]:
    """End a command with the text of an error that the operator can fix, without a traceback."""
    try:
        yield
    except (OptionsError, SettingsError, PublishError, DatabaseError, ShopError, LedgerError) as error:
        raise click.ClickException(str(error)) from error


def _date(at_ms: float) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
