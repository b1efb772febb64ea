"""Command `health rules`: alert rules for Prometheus.

The rules ask for the level that the exporter gives a result, and join the value only to show it. So the thresholds
stand in the list of checks alone, not in a file that is loaded at another time than the exporter starts; and the same
metric says what can't be measured.
"""

from collections.abc import Sequence
from typing import Any

import click
import yaml

from ops.health.check import Check, Level
from ops.health.checks import by_area
from ops.health.commands import chosen, only
from ops.health.prometheus import metrics

WARNING, CRITICAL = "warning", "critical"
FOR = {WARNING: "5m", CRITICAL: "1m"}
"""Time for which a condition holds before its alert fires, by severity. What fails needs someone at once, but not if
the next evaluations find it well, as after a restart of a job; a warning is looked at today, so a burst may pass."""
STALE_AFTER_SECONDS = 60
"""Age of the last evaluation, beyond three pauses between evaluations, from which it is stale. A service that doesn't
answer takes 20 s, and the scrape interval comes on top."""
RUNBOOKS = "docs/runbooks.md"
HEALTH = "docs/health.md"


def rule_file(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the content of the rule file: a group for each subject area, and one for the exporter."""
    groups = [
        {"name": f"millrace {name.lower()}", "rules": [rule for check in found for rule in _rules(check)]}
        for name, found in by_area(checks).items()
    ]
    return {"groups": [*groups, {"name": "millrace exporter", "rules": _rules_of_the_exporter()}]}


def _rules(check: Check) -> list[dict[str, Any]]:
    """Return the warning, which also fires while the check fails, and the failure."""
    levels = ((Level.WARN, check.warn, WARNING), (Level.FAIL, check.fail, CRITICAL))
    return [
        _rule(
            "".join(word.capitalize() for word in (*check.id.split("-"), level.value)),
            # A check whose level is unknown has no value, so that nothing is left of it.
            f"{metrics.gauge(check)} and ignoring(check) "
            f'{metrics.LEVEL}{{check="{check.id}"}} >= {metrics.level_number(level)}',
            severity,
            {
                "summary": f"{check.question} {{{{ $labels.subject }}}}: {metrics.unit(check).template}",
                "description": check.why,
                "runbook": f"{RUNBOOKS}#{check.id}",
            },
            check=check.id,
        )
        for level, threshold, severity in levels
        if threshold is not None
    ]


def _rules_of_the_exporter() -> list[dict[str, Any]]:
    return [
        _rule(
            "CheckUnknown",
            f"{metrics.LEVEL} == {metrics.level_number(Level.UNKNOWN)}",
            WARNING,
            {
                "summary": "Can {{ $labels.check }} be measured? No",
                "description": "A check that can't be made finds no fault. Usually a service doesn't answer; "
                "`python -m ops health --only {{ $labels.check }}` shows the reason.",
                "runbook": f"{RUNBOOKS}#service-silent",
            },
        ),
        _rule(
            "ExporterSilent",
            f"absent({metrics.ENDED})",
            CRITICAL,
            {
                "summary": "Does the exporter of Millrace answer, with results? No",
                "description": "No other alert of Millrace can fire. `python -m ops health serve` starts it.",
                "runbook": f"{HEALTH}#prometheus",
            },
        ),
        _rule(
            "ExporterStale",
            f"time() - {metrics.ENDED} > {STALE_AFTER_SECONDS} + 3 * {metrics.PAUSE}",
            CRITICAL,
            {
                "summary": "How old are the results of {{ $labels.instance }}? {{ $value | humanizeDuration }}",
                "description": "An evaluation hangs or raises an error, so all other alerts show what was. Its output "
                "shows the error; a restart ends one that hangs.",
                "runbook": f"{HEALTH}#prometheus",
            },
        ),
    ]


def _rule(name: str, expression: str, severity: str, annotations: dict[str, str], **labels: str) -> dict[str, Any]:
    return {
        "alert": f"Millrace{name}",
        "expr": expression,
        "for": FOR[severity],
        "labels": {"severity": severity, **labels},
        "annotations": annotations,
    }


@click.command("rules")
@only
def rules(ids: tuple[str, ...]) -> None:
    """Print alert rules for Prometheus, as a rule file in YAML."""
    click.echo(yaml.safe_dump(rule_file(chosen(ids)), sort_keys=False, allow_unicode=True, width=120), nl=False)
