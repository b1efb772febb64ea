"""The alert rules are those of the declared checks: they parse, and ask for metrics that are exported."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from promql_parser import parse

from local.settings import CHECKOUT
from ops.__main__ import main
from ops.health.check import Check
from ops.health.checks import CHECKS
from ops.health.prometheus.alert_rules import CRITICAL, FOR, WARNING
from ops.health.prometheus.exporter import Exporter
from tests.builders.promql import metrics_in


def printed(*arguments: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(main, ["health", "rules", *arguments])
    assert done.exit_code == 0
    return done.stdout


GROUPS: list[dict[str, Any]] = yaml.safe_load(printed())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
BY_NAME = {rule["alert"]: rule for rule in RULES}
EXPORTED = {family.name for family in Exporter(CHECKS, 15).collect()}
OF_THE_EXPORTER = {"MillraceCheckUnknown", "MillraceExporterSilent", "MillraceExporterStale"}


def camel(check: Check) -> str:
    return "Millrace" + check.id.title().replace("-", "")


def test_each_threshold_has_an_alert_and_nothing_else_but_the_exporter_has_one() -> None:
    expected = {f"{camel(check)}Warn" for check in CHECKS if check.warn is not None}
    expected |= {f"{camel(check)}Fail" for check in CHECKS if check.fail is not None}

    assert set(BY_NAME) == expected | OF_THE_EXPORTER
    assert len(BY_NAME) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_parses_and_asks_for_what_is_exported(rule: dict[str, Any]) -> None:
    parse(rule["expr"])

    assert metrics_in(rule["expr"]) <= EXPORTED
    assert rule["for"] == FOR[rule["labels"]["severity"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_has_its_section_in_the_documents(rule: dict[str, Any]) -> None:
    document, _, anchor = rule["annotations"]["runbook"].partition("#")

    headings = re.findall(r"^## (.+)$", (CHECKOUT / document).read_text("utf-8"), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_value_and_level_of_a_check_are_joined_and_no_threshold_is_copied() -> None:
    rule = BY_NAME["MillraceLagSecondsFail"]

    assert rule["expr"] == 'millrace_lag_seconds and ignoring(check) millrace_check_level{check="lag-seconds"} >= 3'
    assert rule["labels"] == {"severity": CRITICAL, "check": "lag-seconds"}
    assert rule["annotations"]["summary"] == (
        "How old is the first record that a program hasn't read? {{ $labels.subject }}: {{ $value | humanizeDuration }}"
    )
    assert rule["annotations"]["runbook"] == "docs/runbooks.md#lag-seconds"


def test_warning_still_holds_while_the_check_fails() -> None:
    rule = BY_NAME["MillraceLagSecondsWarn"]

    assert rule["expr"].endswith('millrace_check_level{check="lag-seconds"} >= 1')
    assert rule["labels"]["severity"] == WARNING


def test_alerts_of_the_exporter_see_that_it_is_silent_stale_or_cannot_make_a_check() -> None:
    assert BY_NAME["MillraceCheckUnknown"]["expr"] == "millrace_check_level == 2"
    assert re.match(r"absent\(", BY_NAME["MillraceExporterSilent"]["expr"])
    assert re.match(r"time\(\) - millrace_health_last_evaluation", BY_NAME["MillraceExporterStale"]["expr"])


def test_only_the_chosen_checks_have_rules_in_groups_of_one_name() -> None:
    text = printed("--only", "lag-records", "--only", "job-busy", "--only", "event-time")

    groups = {group["name"]: [rule["alert"] for rule in group["rules"]] for group in yaml.safe_load(text)["groups"]}
    assert list(groups) == ["millrace sources", "millrace jobs", "millrace exporter"]
    assert groups["millrace sources"] == ["MillraceLagRecordsWarn", "MillraceEventTimeWarn", "MillraceEventTimeFail"]


def test_promtool_accepts_the_rules_where_there_is_one(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(printed(), "utf-8")

    checked = [
        subprocess.run([program, "check", "rules", file], capture_output=True, check=False).returncode
        for program in filter(None, [shutil.which("promtool")])
    ]

    assert set(checked) <= {0}
