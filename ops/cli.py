"""Parts of every command: where it is, its errors in one line, the question before a change, its user, and times and
addresses as parameters."""

import errno
import getpass
import re
import sys
from collections import UserDict
from collections.abc import Callable, Mapping
from datetime import datetime
from pkgutil import resolve_name
from typing import Any
from urllib.parse import urlsplit

import click

from ops.formats import now_ms

MESSAGES: Mapping[str, Callable[[Exception], str]] = {
    # Faults of this machine and of servers. ConnectionError: of a broker, PostgreSQL or Kafka Connect.
    "builtins.ConnectionError": str,
    "connectors.elasticsearch.client.ElasticsearchError": str,
    "connectors.kafka.registry.RegistryError": str,
    "connectors.settings.SettingsError": str,
    "kafka.errors.KafkaError": "Kafka: {}".format,
    "ops.jobs.flink_rest.FlinkError": str,
    "toolchain.cache.CacheError": str,
    "toolchain.jars.JarsError": str,
    "toolchain.java.JavaError": str,
    # Faults of the input, and states that need an operator.
    "connectors.elasticsearch.bulk_index.IndexingError": str,
    "ops.capture.progress.CaptureError": str,
    "ops.dead_letters.export.ExportError": str,
    "ops.dead_letters.fixes.FixError": str,
    "ops.dead_letters.replay.ReplayError": str,
    "ops.rules.rulesets.PublicationError": str,
    "ops.search.apply.SearchBlockedError": str,
    "ops.search.find.NoIndexError": str,
    "ops.search.rebuild.RebuildError": str,
    "ops.topics.apply.TopicsBlockedError": str,
    "ops.topics.schemas.SchemasRefusedError": str,
    "ops.warehouse.migrations.MigrationError": str,
    "sql.SqlFileError": str,
    "udfs.fraud.rules.RulesetError": str,
}
"""Errors that the operator can fix, each with its message; a command that raises one ends with exit status 1. By name,
since a command that can't raise an error should not have to import its module."""

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def message(error: Exception) -> str | None:
    """Return the message of an error that the operator can fix, or None for any other error."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((MESSAGES[name](error) for name in names if name in MESSAGES), None)


class Places(UserDict[str, Any]):
    """Commands by name, declared as `module:attribute`: one that is looked up is imported, without the others."""

    def __getitem__(self, name: str) -> Any:
        return resolve_name(super().__getitem__(name))


class CommandGroup(click.Group):
    """A group whose commands may raise the errors of `MESSAGES`, and a LookupError for what doesn't exist."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; report an error that the operator can fix in one message, without a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Not a KeyError or IndexError: these are faults of this program.
            text = str(error) if type(error) is LookupError else message(error)
            if text is None:
                raise
            raise click.ClickException(text) from error


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


class Address(click.ParamType[tuple[str, int]]):
    """Command-line parameter for an address to listen at."""

    name = "HOST:PORT"

    def __init__(self, example: str) -> None:
        """Create a parameter whose messages have an example."""
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Convert to host and port."""
        try:
            parts = urlsplit(f"//{value}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or port is None or parts.netloc != value or "@" in value:
            self.fail(f"{value!r} is no address; write HOST:PORT, such as {self._example}", param, ctx)
        return host, port


def cannot_listen(error: OSError, host: str, port: int, other: str) -> click.ClickException:
    """Return why nothing can listen at an address, and what to do.

    Args:
        other: what may listen there already.
    """
    is_taken = error.errno == errno.EADDRINUSE
    reason = f"is in use, perhaps by {other}" if is_taken else f"can't be listened at ({error.strerror})"
    return click.ClickException(f"{in_url(host)}:{port} {reason}: choose another address with --address HOST:PORT")


def in_url(host: str) -> str:
    """Return a host as a URL has it: an address of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
