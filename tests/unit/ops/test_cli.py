"""Parts of every command: what it imports, errors in one message, and the question before a change."""

import subprocess
import sys
from collections.abc import Iterator
from pkgutil import resolve_name

import click
import pytest
from click.testing import CliRunner
from kafka.errors import NodeNotReadyError

from connectors.settings import SettingsError
from ops.__main__ import main
from ops.cli import MESSAGES, CommandGroup, ask_before_changing, user_name

WITH_ELASTICSEARCH = {"elasticsearch", "numpy", "pyarrow", "requests"}
"""Elasticsearch's client, and what it imports where that is installed."""
SLOW_LIBRARIES = WITH_ELASTICSEARCH | {"kafka", "psycopg", "pyflink"}
"""Libraries that take long to import."""


@pytest.mark.parametrize(
    ("command", "its_libraries"),
    [
        ("cdc", {"kafka", "psycopg", "requests"}),
        ("dead-letters", {"kafka"}),
        ("frontier", WITH_ELASTICSEARCH | {"kafka", "psycopg"}),
        ("health", WITH_ELASTICSEARCH | {"kafka", "psycopg"}),
        ("jobs", {"requests"}),
        ("page", WITH_ELASTICSEARCH | {"kafka", "psycopg"}),
        ("policy", {"kafka"}),
        ("rulesets", {"kafka"}),
        ("schemas", {"requests"}),
        ("search", WITH_ELASTICSEARCH | {"kafka"}),
        ("submit", {"kafka", "pyflink", "requests"}),
        ("topics", {"kafka"}),
        ("warehouse", {"kafka", "psycopg"}),
    ],
)
def test_command_imports_no_library_of_another_command(command: str, its_libraries: set[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ops", command, "--help"], capture_output=True, text=True, check=True
    )

    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "ops.cli" in imported
    assert imported & SLOW_LIBRARIES <= its_libraries


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_declared_for_an_error_that_exists(name: str) -> None:
    error = resolve_name(name)

    assert issubclass(error, Exception)
    assert f"{error.__module__}.{error.__qualname__}" == name


def failing_with(error: Exception) -> click.Group:
    """A group with a command `fail` that raises the error."""
    group = CommandGroup("group")

    @group.command("fail")
    def fail() -> None:
        raise error

    return group


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SettingsError("MILLRACE_X is no number"), "Error: MILLRACE_X is no number\n"),
        (ConnectionRefusedError("no broker answers"), "Error: no broker answers\n"),
        (NodeNotReadyError(), f"Error: Kafka: {NodeNotReadyError()}\n"),
        (LookupError("there is no topic 'x'"), "Error: there is no topic 'x'\n"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_error_the_operator_can_fix_is_one_message_with_status_1(error: Exception, message: str) -> None:
    result = CliRunner().invoke(failing_with(error), ["fail"])

    assert (result.exit_code, result.output) == (1, message)


@pytest.mark.parametrize(
    "error", [KeyError("x"), IndexError("x"), TypeError("x")], ids=lambda each: type(each).__name__
)
def test_fault_of_the_program_keeps_its_traceback(error: Exception) -> None:
    result = CliRunner().invoke(failing_with(error), ["fail"])

    assert result.exception is error


def test_user_without_a_name_is_an_error_until_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)

    with pytest.raises(click.ClickException, match="set USER"):
        user_name()

    monkeypatch.setenv("USER", "operator")
    assert user_name() == "operator"


@click.command()
@click.option("--yes", is_flag=True)
def change(yes: bool) -> None:
    ask_before_changing(yes)
    click.echo("changed")


def test_change_without_a_terminal_and_without_yes_is_refused() -> None:
    result = CliRunner().invoke(change)

    assert result.exit_code == 1
    assert result.output == "Error: nothing was changed: run it again with --yes to carry out the plan\n"


def test_change_with_yes_is_made_without_a_question() -> None:
    result = CliRunner().invoke(change, ["--yes"])

    assert (result.exit_code, result.output) == (0, "changed\n")


def commands(group: click.Group) -> Iterator[click.Command]:
    """Return all commands and groups below a group."""
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


@pytest.mark.parametrize("command", list(commands(main)), ids=lambda each: each.callback.__name__)
def test_first_line_of_a_help_fits_the_list_of_commands(command: click.Command) -> None:
    first_line = (command.help or "").partition("\n")[0]

    assert command.get_short_help_str(limit=64) == first_line
    assert first_line.endswith(".")
