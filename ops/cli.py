"""Parts of every command: its errors in one line, the question before a change, its user, and times as parameters."""

import getpass
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import click
from kafka.errors import KafkaError

from connectors.elasticsearch.bulk_index import IndexingError
from connectors.elasticsearch.client import ElasticsearchError
from connectors.kafka.registry import RegistryError
from connectors.settings import SettingsError
from ops.capture.stream import CaptureError
from ops.dead_letters.export import ExportError
from ops.dead_letters.fixes import FixError
from ops.dead_letters.replay import ReplayError
from ops.formats import now_ms
from ops.jobs.flink_rest import FlinkError
from ops.rules.rulesets import PublicationError
from ops.search.apply import SearchBlockedError
from ops.search.find import NoIndexError
from ops.search.rebuild import RebuildError
from ops.topics.apply import TopicsBlockedError
from ops.topics.schemas import SchemasRefusedError
from ops.warehouse.migrations import MigrationError
from sql import SqlFileError
from toolchain.cache import CacheError
from toolchain.jars import JarsError
from toolchain.java import JavaError
from udfs.fraud.rules import RulesetError

MESSAGES: Mapping[type[Exception], Callable[[Exception], str]] = {
    # Faults of this machine and of servers. ConnectionError: of a broker, PostgreSQL or Kafka Connect.
    CacheError: str,
    ConnectionError: str,
    ElasticsearchError: str,
    FlinkError: str,
    JarsError: str,
    JavaError: str,
    KafkaError: "Kafka: {}".format,
    RegistryError: str,
    SettingsError: str,
    # Faults of the input, and states that need an operator.
    CaptureError: str,
    ExportError: str,
    FixError: str,
    IndexingError: str,
    MigrationError: str,
    NoIndexError: str,
    PublicationError: str,
    RebuildError: str,
    ReplayError: str,
    RulesetError: str,
    SchemasRefusedError: str,
    SearchBlockedError: str,
    SqlFileError: str,
    TopicsBlockedError: str,
}
"""Errors that the operator can fix, each with its message; a command that raises one ends with exit status 1."""
FAULTS = tuple(MESSAGES)

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class CommandGroup(click.Group):
    """A group whose commands may raise the errors of `MESSAGES`, and a LookupError for what doesn't exist."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; report an error that the operator can fix in one message, without a traceback."""
        try:
            return super().invoke(ctx)
        except FAULTS as error:
            text = next(text for kind, text in MESSAGES.items() if isinstance(error, kind))
            raise click.ClickException(text(error)) from error
        except LookupError as error:
            if type(error) is not LookupError:  # a KeyError or IndexError is a fault of this program
                raise
            raise click.ClickException(str(error)) from error


def ask_before_changing(yes: bool) -> None:
    """Ask whether to carry out the plan that was shown, unless `yes` is set.

    Raises:
        ClickException: there is no terminal to ask at.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.ClickException("nothing was changed: run it again with --yes to carry out the plan")
    click.confirm("Carry out the plan?", abort=True)


def user_name() -> str:
    """Return the name of the user who runs the command.

    Raises:
        ClickException: the user has no name, as in a container with a user id of its own.
    """
    try:
        return getpass.getuser()
    except KeyError as error:  # of the system's list of users
        raise click.ClickException("this user has no name, which goes into what is written: set USER to one") from error


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
            return now_ms() - int(age[1]) * _UNITS_MS[age[2]]
        return super().convert(value, param, ctx)
