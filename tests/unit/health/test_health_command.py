"""The command lists the worst first, says what to do, and has exit status 1 for failures and what can't be measured."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import main
from ops.health import commands
from ops.health.check import SECONDS, SHARE, YES_OR_NO, Check, Reading
from ops.health.checks import CHECKS
from tests.builders.health import measured

WELL = measured("well", Reading("a", 1), Reading("b", 3), Reading("c", 2))
WARNED = measured("warned", Reading("d", 12.34, "a slow disk"))
FAILED = measured("failed", Reading("e", 1234))
UNMADE = measured("unmade", error=ConnectionError("no broker answers"))


def run(checks: Sequence[Check], *arguments: str) -> Result:
    """Run the command with these checks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "CHECKS", tuple(checks))
        return CliRunner().invoke(main, ["health", *arguments])


@pytest.mark.parametrize(
    ("checks", "status"),
    [([WELL], 0), ([WELL, WARNED], 0), ([WELL, FAILED], 1), ([WELL, UNMADE], 1)],
    ids=["well", "warned", "failed", "unmade"],
)
def test_failures_and_what_cannot_be_measured_have_exit_status_1(checks: list[Check], status: int) -> None:
    assert run(checks).exit_code == status


def test_worst_is_first_with_sign_and_word_and_the_summary_last() -> None:
    lines = run([WELL, WARNED, UNMADE, FAILED]).output.splitlines()

    assert [line.split("  ")[0].strip() for line in lines[:5]] == ["level", "✗ fail", "? unknown", "! warn", "✓ ok"]
    assert lines[1].split() == ["✗", "fail", "failed", "e", "1,234", "s"]
    assert lines[4].split(maxsplit=3)[3] == "3 subjects, at most: b  3 s"
    assert lines[-1].startswith("1 fail, 1 unknown, 1 warn, 3 ok: 6 results of 4 checks, 20")


def test_warning_has_its_detail_why_it_matters_and_what_to_do_first() -> None:
    assert run([WARNED]).output.split("\n\n")[1] == (
        "! warned: Is it late?\n"
        "  d: 12 s; a slow disk\n"
        "  why: Results are late.\n"
        "  first: Run `make up`. (docs/runbooks.md#warned)"
    )


def test_checks_that_cannot_be_made_for_one_reason_are_reported_together() -> None:
    others = [measured(id_, error=ConnectionError("no broker answers")) for id_ in ("second", "third")]

    table, reason, _ = run([UNMADE, *others]).output.split("\n\n")

    assert table.splitlines()[1].split() == ["?", "unknown", "unmade", "and", "2", "more", "can't", "be", "measured"]
    assert reason == "? unmade, second, third:\n  no broker answers"


def test_only_the_first_of_many_subjects_are_described() -> None:
    many = measured("many", *(Reading(f"s{number}", 20 + number) for number in range(9)))

    lines = run([many]).output.splitlines()

    assert sum(line.startswith("  s") for line in lines) == commands.SHOWN_SUBJECTS
    assert "  … and 4 more: see --json" in lines


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        (SECONDS, 0, "0 s"),
        (SECONDS, 1.25, "1.2 s"),
        (SECONDS, 12_345.6, "12,346 s"),
        (SHARE, 0.1234, "12.3%"),
        (YES_OR_NO, 0, "yes"),
        (YES_OR_NO, 1, "no"),
        ("dead letters", 1, "1 dead letter"),
        ("dead letters", 2, "2 dead letters"),
        ("MB", 2.5, "2.5 MB"),
    ],
)
def test_value_is_shown_with_its_unit(unit: str, value: float, shown: str) -> None:
    assert run([measured("check", Reading("a", value), unit=unit)]).output.splitlines()[1].endswith(f"  {shown}")


def test_json_has_every_reading_with_its_thresholds() -> None:
    done = run([WELL, WARNED, UNMADE], "--json")

    document: dict[str, Any] = json.loads(done.output)
    assert done.exit_code == 1
    assert document["healthy"] is False
    assert document["levels"] == {"fail": 0, "unknown": 1, "warn": 1, "ok": 3}
    assert len(document["results"]) == 5
    assert document["results"][1] == {
        "check": "warned",
        "level": "warn",
        "subject": "d",
        "value": 12.34,
        "unit": "s",
        "warn": 10,
        "fail": 20,
        "detail": "a slow disk",
    }
    assert document["results"][0]["value"] is None


def test_only_the_chosen_checks_are_made() -> None:
    document = json.loads(run([WELL, FAILED, UNMADE], "--json", "--only", "well").output)

    assert {each["check"] for each in document["results"]} == {"well"}


def test_unknown_check_is_refused_with_those_that_exist() -> None:
    done = run([WELL, FAILED], "--only", "well", "--only", "lagg")

    assert done.exit_code == 2
    assert "there is no check 'lagg'; there are: well, failed" in done.output


def test_options_before_a_subcommand_are_refused() -> None:
    done = run([WELL], "--only", "well", "rules")

    assert done.exit_code == 2
    assert "write the options of `rules` after its name" in done.output


def test_watch_measures_again_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(commands.time, "sleep", pause)

    done = run([WELL], "--watch", "7", "--json")

    documents = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert (len(documents), pauses) == (3, [7, 7, 7])


def test_every_check_has_an_id_of_its_own() -> None:
    ids = [check.id for check in CHECKS]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_check_says_what_it_asks_why_and_what_to_do(check: Check) -> None:
    assert check.question.endswith("?")
    assert check.why.endswith(".")
    assert len(check.remedy) >= 2
    assert check.warn is not None or check.fail is not None
    assert check.warn is None or check.fail is None or check.warn < check.fail
    if check.unit == YES_OR_NO:
        assert 1 in {check.warn, check.fail}
