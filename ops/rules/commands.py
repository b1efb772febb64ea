"""Commands `rulesets` and `policy`."""

from collections import Counter
from pathlib import Path

import click
import msgspec

from connectors.settings import Settings
from events import Rule, Ruleset
from ops.cli import CommandGroup, Moment, user_name
from ops.formats import table, time_in_words
from ops.masking import harmless
from ops.rules.notification_policies import policy_in_words
from ops.rules.rulesets import Published, as_file, latest, publish, read, shadow_hits, version
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import RulesetError, facts_in_words, published_rules
from udfs.notifications import notification_policy
from udfs.notifications.notification_policy import PolicyError

_EFFECTIVE_FROM = click.option(
    "--effective-from", type=Moment(), help="Event time from which it applies, e.g. 2026-03-01T12:00:00Z."
)


@click.group(cls=CommandGroup)
def rulesets() -> None:
    """Publish, show and roll back versions of the fraud rules."""


@rulesets.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_EFFECTIVE_FROM
@click.option("--dry-run", is_flag=True, help="Check the file and publish nothing.")
def rulesets_publish(file: Path, effective_from: int | None, dry_run: bool) -> None:
    """Publish the rules of FILE (TOML) as the next version.

    Checks them as the job does.
    """
    settings = Settings.from_environment()
    parsed = ruleset_files.parse(_text(file))
    if dry_run:
        draft = ruleset_files.ruleset(parsed, version=1, effective_from=0, published_at=0, published_by="nobody")
        published_rules(msgspec.json.encode(draft), payment_features(), settings.base_currency)
        click.echo(f"{file}: {len(parsed.rule)} rules, no mistake found; nothing was published")
        return
    _print_published(publish(settings, parsed, user_name(), effective_from))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulesetError([f"{file} is not UTF-8 at byte {error.start}: save it as UTF-8"]) from error


@rulesets.command("rollback")
@click.argument("number", type=int)
@_EFFECTIVE_FROM
def rulesets_rollback(number: int, effective_from: int | None) -> None:
    """Publish version NUMBER again, as the next version."""
    settings = Settings.from_environment()
    file = as_file(version(settings, number), note=f"back to version {number}")
    _print_published(publish(settings, file, user_name(), effective_from))


@rulesets.command("promote")
@click.argument("rule")
@_EFFECTIVE_FROM
def rulesets_promote(rule: str, effective_from: int | None) -> None:
    """Publish the latest version with RULE made active.

    RULE is in shadow in the latest version.
    """
    settings = Settings.from_environment()
    file = as_file(latest(settings), note=f"{rule}: shadow → active", promoted=rule)
    _print_published(publish(settings, file, user_name(), effective_from))


def _print_published(ruleset: Ruleset) -> None:
    click.echo(f"version {ruleset.version} published; it applies from {time_in_words(ruleset.effective_from)}")


@rulesets.command("list")
def rulesets_list() -> None:
    """List all versions, and rejected records with the reasons.

    Exit status 1 if the last record was rejected.
    """
    records = read(Settings.from_environment())
    if not records:
        click.echo("no ruleset was published yet")
        return
    headings = ("version", "applies from", "published", "by", "active", "shadow", "off", "note")
    click.echo(table(headings, [_row(each) for each in records]))
    for each in records:
        if each.ruleset is None:
            click.echo(f"\nrejected at offset {each.offset}, so that every job ignores it:")
            click.echo("\n".join(f"  {harmless(line)}" for line in each.problem.splitlines()))
    if records[-1].ruleset is None:
        click.echo("\nthe last publication is not in force: correct it and publish it again")
        click.get_current_context().exit(1)


def _row(published: Published) -> tuple[object, ...]:
    ruleset = published.ruleset
    if ruleset is None:
        number = published.version or "?"
        return (number, "never", "", "", "", "", "", f"rejected: see below, offset {published.offset}")
    status = Counter(rule.status for rule in ruleset.rules)
    return (
        ruleset.version,
        time_in_words(ruleset.effective_from),
        time_in_words(ruleset.event_time),
        harmless(ruleset.published_by),
        status["active"],
        status["shadow"],
        status["off"],
        harmless(ruleset.note),
    )


@rulesets.command("show")
@click.argument("number", type=int, required=False)
def rulesets_show(number: int | None) -> None:
    """Show the rules of version NUMBER (default: the latest).

    Counts the hits of rules in shadow.
    """
    settings = Settings.from_environment()
    ruleset = latest(settings) if number is None else version(settings, number)
    hits = shadow_hits(settings)
    click.echo(
        f"version {ruleset.version}, applies from {time_in_words(ruleset.effective_from)}: alerts at a score of "
        f"{ruleset.alert_score}, a case closes after {ruleset.quiet_minutes} quiet minutes\n"
    )
    rows = [_rule_row(rule, hits[ruleset.version, rule.name]) for rule in ruleset.rules]
    click.echo(table(("rule", "status", "score", "shadow hits", "when"), rows))


def _rule_row(rule: Rule, hits: int) -> tuple[object, ...]:
    shadow_hits = hits if rule.status == "shadow" else ""
    asks = f"function {rule.function}" if rule.function else ""
    return (rule.name, rule.status, rule.score, shadow_hits, ", ".join(filter(None, (rule.when, asks))))


@rulesets.command("facts")
def rulesets_facts() -> None:
    """List the facts that a rule's condition can use, with units."""
    click.echo(table(("fact", "kind", "unit"), facts_in_words(payment_features())))


@click.group(cls=CommandGroup)
def policy() -> None:
    """Check notification policies."""


@policy.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def policy_check(file: Path) -> None:
    """Check the policy in FILE (TOML), and describe it."""
    try:
        checked = notification_policy.parse(file.read_text(encoding="utf-8"))
        notification_policy.check_covers(checked, int(Settings.from_environment().missing_data_hours))
    except PolicyError as error:
        raise click.ClickException("\n".join(f"{file}: {mistake}" for mistake in error.mistakes)) from error
    click.echo(f"{file}: version {checked.version}, no mistake found\n")
    click.echo(policy_in_words(checked))
