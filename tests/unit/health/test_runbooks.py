"""The runbooks are those of the declared checks, and every command in them exists."""

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from ops.__main__ import main
from ops.health.check import Check
from ops.health.checks import CHECKS
from tools.runbooks import RUNBOOKS, runbooks


def test_document_is_the_one_that_the_checks_have() -> None:
    assert RUNBOOKS.read_text("utf-8") == runbooks(), "run python -m tools.runbooks"


def test_document_has_a_section_for_each_check_in_their_order() -> None:
    assert re.findall(r"^## (.+)$", runbooks(), re.MULTILINE) == [check.id for check in CHECKS]


def commands(check: Check) -> list[list[str]]:
    """Return the `ops` commands of a check's remedy, in words."""
    found = re.findall(r"`python -m ops ([^`]+)`", " ".join(check.remedy))
    return [shlex.split(command) for command in found]


@pytest.mark.parametrize("words", sorted({tuple(words) for check in CHECKS for words in commands(check)}), ids=" ".join)
def test_every_command_of_a_remedy_exists_with_its_options(words: tuple[str, ...]) -> None:
    command: click.Command = main
    names = []
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        command = command.commands[word]
        names.append(word)

    done = CliRunner().invoke(main, [*names, "--help"])

    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert done.exit_code == 0
    assert {word for word in words if word.startswith("-")} <= options


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_check_named_by_a_command_or_a_remedy_exists(check: Check) -> None:
    named = re.findall(r"--only ([\w-]+)", " ".join(check.remedy))
    seen = re.findall(r"(?:[Ss]ee|and) ([a-z]+(?:-[a-z]+)+)", " ".join((check.why, *check.remedy)))

    assert {*named, *seen} - {other.id for other in CHECKS} <= {"back-pressured"}
