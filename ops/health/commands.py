"""Command `health`, and the option that chooses checks."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from connectors.settings import Settings
from ops.cli import CommandGroup, Places
from ops.formats import table, utc
from ops.health.check import SECONDS, SHARE, YES_OR_NO, Check, Level, Result, evaluate_all
from ops.health.checks import CHECKS
from ops.health.scope import Scope

SIGNS = {Level.FAIL: "✗", Level.UNKNOWN: "?", Level.WARN: "!", Level.OK: "✓"}
HEADINGS = ("level", "check", "subject", "value")
SHOWN_SUBJECTS = 5
"""Number of subjects of one check that have a remark."""


COMMANDS = Places(
    {
        "dashboard": "ops.health.prometheus.dashboard:dashboard",
        "rules": "ops.health.prometheus.alert_rules:rules",
        "serve": "ops.health.prometheus.exporter:serve",
    }
)
only = click.option("--only", "ids", multiple=True, metavar="ID", help="Only this check; repeatable.")


@click.group("health", cls=CommandGroup, commands=COMMANDS, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print all readings as one JSON document.")
@click.option("--watch", "seconds", type=click.FloatRange(min=1), metavar="SECONDS", help="Repeat until interrupted.")
@only
@click.pass_context
def health(context: click.Context, as_json: bool, seconds: float | None, ids: tuple[str, ...]) -> None:
    """Check jobs, topics, capture, rules and services.

    Lists the worst first, with what to do. Exit status 1 if a check fails or can't be made.
    """
    # Errors of brokers are results, so the client needn't log them.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if name := context.invoked_subcommand:
        if as_json or seconds or ids:
            raise click.UsageError(f"write the options of `{name}` after its name")
        return
    checks, settings = chosen(ids), Settings.from_environment()
    while True:
        scope = Scope(settings)
        results = evaluate_all(checks, scope)
        if as_json:
            click.echo(json.dumps(document(results, scope), indent=None if seconds else 2, ensure_ascii=False))
        else:
            if seconds:
                click.clear()
            click.echo(in_words(results, scope))
        if seconds is None:
            break
        time.sleep(seconds)
    if any(each.level.is_failure for each in results):
        context.exit(1)


def chosen(ids: Sequence[str]) -> list[Check]:
    """Return the checks with these ids, by default all.

    Raises:
        BadParameter: there is no such check.
    """
    known = {check.id: check for check in CHECKS}
    if unknown := [each for each in ids if each not in known]:
        raise click.BadParameter(
            f"there is no check {unknown[0]!r}; there are: {', '.join(known)}", param_hint="--only"
        )
    return [known[each] for each in dict.fromkeys(ids)] or list(CHECKS)


def in_words(results: Sequence[Result], scope: Scope) -> str:
    """Format results as a table, remarks about those that need an operator, and a summary in the last line.

    Args:
        results: the worst first.
    """
    unmade = [each for each in results if each.level is Level.UNKNOWN]
    made = [each for each in results if each.level in {Level.FAIL, Level.WARN}]
    groups = [
        *(_remarks([each for each in made if each.check == check]) for check in dict.fromkeys(e.check for e in made)),
        *(_unknown(error, unmade) for error in dict.fromkeys(each.detail for each in unmade)),
    ]
    return "\n\n".join([table(HEADINGS, list(_rows(results))), *groups, _summary(results, scope)])


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each result, but one for all subjects of a check that are well, and one for all checks that can't
    be made for the same reason."""
    well = Counter(each.check.id for each in results if each.level is Level.OK)
    unmade = Counter(each.detail for each in results if each.level is Level.UNKNOWN)
    listed: set[str] = set()
    for each in results:
        check, subject = each.check.id, each.subject
        if each.level is Level.OK:
            if check in listed:
                continue
            listed.add(check)
            if well[check] > 1:
                most = f", at most: {subject}" if each.value else ""
                subject = f"{well[check]} subjects{most}"
        elif each.level is Level.UNKNOWN:
            if each.detail in listed:
                continue
            listed.add(each.detail)
            if unmade[each.detail] > 1:
                check = f"{check} and {unmade[each.detail] - 1} more"
        yield (f"{SIGNS[each.level]} {each.level.value}", check, subject, value_in_words(each))


def _remarks(results: Sequence[Result]) -> str:
    """Return what is known of one check's failures and warnings, why they matter, and what to do first."""
    check = results[0].check
    lines = [f"{SIGNS[results[0].level]} {check.id}: {check.question}"]
    for each in results[:SHOWN_SUBJECTS]:
        value = "" if check.unit == YES_OR_NO and each.detail else value_in_words(each)
        lines.append(f"  {each.subject}: {'; '.join(filter(None, (value, each.detail)))}")
    if len(results) > SHOWN_SUBJECTS:
        lines.append(f"  … and {len(results) - SHOWN_SUBJECTS} more: see --json")
    lines.append(f"  why: {check.why}")
    lines.append(f"  first: {check.remedy[0]} (docs/runbooks.md#{check.id})")
    return "\n".join(lines)


def _unknown(error: str, unmade: Sequence[Result]) -> str:
    """Return which checks can't be made for one reason."""
    ids = ", ".join(each.check.id for each in unmade if each.detail == error)
    return f"{SIGNS[Level.UNKNOWN]} {ids}:\n  {error}"


def _summary(results: Sequence[Result], scope: Scope) -> str:
    number = Counter(each.level for each in results)
    levels = ", ".join(f"{number[level]} {level.value}" for level in Level)
    checks = len({each.check.id for each in results})
    return f"{levels}: {len(results)} results of {checks} checks, {utc(scope.now)}"


def value_in_words(result: Result) -> str:
    """Format the value of a result with its unit."""
    value, unit = result.value, result.check.unit
    if value is None:
        return "can't be measured" if result.level is Level.UNKNOWN else result.detail
    if unit == YES_OR_NO:
        return "no" if value else "yes"
    if unit == SHARE:
        return f"{value:.1%}"
    number = f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"
    return f"{number} {unit.removesuffix('s') if number == '1' and unit != SECONDS else unit}"


def document(results: Sequence[Result], scope: Scope) -> dict[str, Any]:
    """Return the results as a JSON document."""
    number = Counter(each.level for each in results)
    return {
        "at": scope.now.isoformat(),
        "healthy": not any(each.level.is_failure for each in results),
        "levels": {level.value: number[level] for level in Level},
        "results": [
            {
                "check": each.check.id,
                "level": each.level.value,
                "subject": each.subject,
                "value": each.value,
                "unit": each.check.unit,
                "warn": each.check.warn,
                "fail": each.check.fail,
                "detail": each.detail,
            }
            for each in results
        ],
    }
