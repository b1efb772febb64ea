"""Publishes and shows fraud rules: whole versions, published before the time from which they apply."""

import getpass
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
import msgspec
from kafka import KafkaProducer

from connectors.kafka.client import kafka_client
from connectors.kafka.reading import committed_records
from connectors.kafka.topics import FRAUD_RULESETS, SHADOW_HITS
from connectors.settings import Settings
from events import Rule, Ruleset, ShadowHit
from ops.command_group import CommandGroup
from ops.masking import harmless
from ops.moments import Moment, in_words
from ops.tables import table
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import RulesetError, facts_in_words, published_rules
from udfs.fraud.ruleset_files import RulesetFile

LEAD = timedelta(seconds=10)
"""Minimum time between a version's publication and its effective time, so that every reader has it by then."""


@dataclass(frozen=True)
class Published:
    """One record of the topic."""

    offset: int
    ruleset: Ruleset | None
    """The ruleset; None if the record was rejected: it is not a valid ruleset, and jobs ignore it."""
    problem: str = ""
    """Why it was rejected, one line per mistake."""
    version: int = 0
    """Version number in the record, also if it was rejected; 0 if it can't be read."""


class PublicationError(RuntimeError):
    """The version was not published, or doesn't count; the text says why, and what to do."""


def read(settings: Settings) -> list[Published]:
    """Return all records that were ever published, oldest first.

    Raises:
        LookupError: their topic does not exist.
    """
    records = committed_records(settings, FRAUD_RULESETS.name)
    return [_published(record.offset, record.value, settings) for record in records]


def _published(offset: int, value: bytes | None, settings: Settings) -> Published:
    try:
        ruleset = published_rules(value, payment_features(), settings.base_currency).ruleset
    except RulesetError as error:
        return Published(offset, None, str(error), error.version or 0)
    return Published(offset, ruleset, version=ruleset.version)


def publish(settings: Settings, file: RulesetFile, published_by: str, effective_from: int | None = None) -> Ruleset:
    """Publish a file's rules as the next version.

    Args:
        effective_from: UTC milliseconds. By default the first version judges every payment there ever was, and a
            later one those from `LEAD` after now.

    Raises:
        RulesetError: the rules are invalid; nothing was published.
        PublicationError: `effective_from` is too early, or another version was published at the same moment.
    """
    now = time.time_ns() // 1_000_000
    records = read(settings)
    known = [each.ruleset for each in records if each.ruleset]
    ruleset = ruleset_files.ruleset(
        file,
        version=_next_version(records),
        effective_from=_effective_from(effective_from, known, now),
        published_at=now,
        published_by=published_by,
    )
    value = msgspec.json.encode(ruleset)
    published_rules(value, payment_features(), settings.base_currency)
    offset = _send(settings, ruleset, value)
    first = next(each for each in read(settings) if each.ruleset and each.ruleset.version == ruleset.version)
    if first.offset != offset:
        raise PublicationError(
            f"somebody else published version {ruleset.version} just before; look at it, then repeat"
        )
    return ruleset


def _next_version(records: Sequence[Published]) -> int:
    """Return one more than the highest number so far; rejected records count too, unless their number is out of
    sequence.

    An earlier release may have accepted such a record, so that payments were judged by that number.
    """
    highest = 0
    for each in records:
        if each.ruleset or each.version == highest + 1:
            highest = max(highest, each.version)
    return highest + 1


def _effective_from(wanted: int | None, known: Sequence[Ruleset], now: int) -> int:
    if not known:
        return wanted or 0
    earliest = now + int(LEAD.total_seconds() * 1000)
    if wanted is None:
        return earliest
    if wanted < earliest:
        raise PublicationError(
            f"a version can hold from {in_words(earliest)} at the earliest: what was decided before must be decided "
            "the same when it is replayed"
        )
    return wanted


def _send(settings: Settings, ruleset: Ruleset, value: bytes) -> int:
    producer = kafka_client(settings, KafkaProducer, acks="all")
    try:
        sent = producer.send(
            FRAUD_RULESETS.name,
            key=str(ruleset.version).encode(),
            value=value,
            timestamp_ms=ruleset.event_time,
        )
        return int(sent.get(timeout=30).offset)
    finally:
        producer.close()


def version(settings: Settings, number: int) -> Ruleset:
    """Return a published version.

    Raises:
        PublicationError: there is none of that number.
    """
    known = {each.ruleset.version: each.ruleset for each in reversed(read(settings)) if each.ruleset}
    if number not in known:
        raise PublicationError(
            f"there is no version {number}; there are {', '.join(map(str, sorted(known))) or 'none'}"
        )
    return known[number]


def latest(settings: Settings) -> Ruleset:
    """Return the version with the highest number.

    Raises:
        PublicationError: nothing was published yet.
    """
    known = [each.ruleset for each in read(settings) if each.ruleset]
    if not known:
        raise PublicationError("no ruleset was published yet: `python -m ops rulesets publish FILE`")
    return max(known, key=lambda ruleset: ruleset.version)


def shadow_hits(settings: Settings) -> Counter[tuple[int, str]]:
    """Count the payments that broke each rule in shadow, by (ruleset version, rule), without duplicates of a
    restart."""
    records = committed_records(settings, SHADOW_HITS.name)
    hits = {hit.event_id: hit for hit in (msgspec.json.decode(record.value, type=ShadowHit) for record in records)}
    return Counter((hit.ruleset_version, rule) for hit in hits.values() for rule in hit.rules)


def as_file(ruleset: Ruleset, note: str, promoted: str | None = None) -> RulesetFile:
    """Return the rules of a version for a new publication, with one rule promoted from shadow to active if named.

    Raises:
        PublicationError: there is no such rule in shadow.
    """
    if promoted and promoted not in {rule.name for rule in ruleset.rules if rule.status == "shadow"}:
        in_shadow = ", ".join(rule.name for rule in ruleset.rules if rule.status == "shadow") or "none"
        raise PublicationError(f"version {ruleset.version} has no rule {promoted!r} in shadow; in shadow: {in_shadow}")
    rules = tuple(
        msgspec.structs.replace(rule, status="active") if rule.name == promoted else rule for rule in ruleset.rules
    )
    return RulesetFile(note=note, alert_score=ruleset.alert_score, quiet_minutes=ruleset.quiet_minutes, rule=rules)


class _RulesetGroup(CommandGroup):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (RulesetError, PublicationError, LookupError) as error:
            raise click.ClickException(str(error)) from error


_EFFECTIVE_FROM = click.option(
    "--effective-from", type=Moment(), help="Event time from which it holds, e.g. 2026-03-01T12:00:00Z."
)


@click.group(cls=_RulesetGroup)
def rulesets() -> None:
    """Publish, look at and take back versions of the fraud rules."""


@rulesets.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_EFFECTIVE_FROM
@click.option("--dry-run", is_flag=True, help="Check the file and publish nothing.")
def publish_command(file: Path, effective_from: int | None, dry_run: bool) -> None:
    """Check FILE (TOML) and publish its rules as the next version."""
    settings = Settings.from_environment()
    parsed = ruleset_files.parse(_text(file))
    if dry_run:
        draft = ruleset_files.ruleset(parsed, version=1, effective_from=0, published_at=0, published_by="nobody")
        published_rules(msgspec.json.encode(draft), payment_features(), settings.base_currency)
        click.echo(f"{file}: {len(parsed.rule)} rules, no mistake found; nothing was published")
        return
    _say_published(publish(settings, parsed, getpass.getuser(), effective_from))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulesetError([f"{file} is not UTF-8 at byte {error.start}: save it as UTF-8"]) from error


@rulesets.command("rollback")
@click.argument("number", type=int)
@_EFFECTIVE_FROM
def rollback_command(number: int, effective_from: int | None) -> None:
    """Publish the rules of version NUMBER again, as the next version."""
    settings = Settings.from_environment()
    file = as_file(version(settings, number), note=f"back to version {number}")
    _say_published(publish(settings, file, getpass.getuser(), effective_from))


@rulesets.command("promote")
@click.argument("rule")
@_EFFECTIVE_FROM
def promote_command(rule: str, effective_from: int | None) -> None:
    """Publish the latest version again with RULE, which is in shadow, made active."""
    settings = Settings.from_environment()
    file = as_file(latest(settings), note=f"{rule}: shadow → active", promoted=rule)
    _say_published(publish(settings, file, getpass.getuser(), effective_from))


def _say_published(ruleset: Ruleset) -> None:
    click.echo(f"version {ruleset.version} published; it holds from {in_words(ruleset.effective_from)}")


@rulesets.command("list")
def list_command() -> None:
    """All versions, and records that were rejected, with the reasons; exit status 1 if the last record is one."""
    records = read(Settings.from_environment())
    if not records:
        click.echo("no ruleset was published yet")
        return
    headings = ("version", "holds from", "published", "by", "active", "shadow", "off", "note")
    click.echo(table(headings, [_row(each) for each in records]))
    for each in records:
        if each.ruleset is None:
            click.echo(f"\nrejected at offset {each.offset}, so that every job ignores it:")
            click.echo("\n".join(f"  {harmless(line)}" for line in each.problem.splitlines()))
    if records[-1].ruleset is None:
        click.echo("\nwhat was published last is not in force: correct it and publish it again")
        click.get_current_context().exit(1)


def _row(published: Published) -> tuple[object, ...]:
    ruleset = published.ruleset
    if ruleset is None:
        number = published.version or "?"
        return (number, "never", "", "", "", "", "", f"rejected: see below, offset {published.offset}")
    status = Counter(rule.status for rule in ruleset.rules)
    return (
        ruleset.version,
        in_words(ruleset.effective_from),
        in_words(ruleset.event_time),
        harmless(ruleset.published_by),
        status["active"],
        status["shadow"],
        status["off"],
        harmless(ruleset.note),
    )


@rulesets.command("show")
@click.argument("number", type=int, required=False)
def show_command(number: int | None) -> None:
    """The rules of version NUMBER (default: the latest), with how often those in shadow were broken."""
    settings = Settings.from_environment()
    ruleset = latest(settings) if number is None else version(settings, number)
    hits = shadow_hits(settings)
    click.echo(
        f"version {ruleset.version}, holds from {in_words(ruleset.effective_from)}: alerts at a score of "
        f"{ruleset.alert_score}, a case closes after {ruleset.quiet_minutes} quiet minutes\n"
    )
    rows = [_rule_row(rule, hits[ruleset.version, rule.name]) for rule in ruleset.rules]
    click.echo(table(("rule", "status", "score", "shadow hits", "when"), rows))


def _rule_row(rule: Rule, hits: int) -> tuple[object, ...]:
    shadow_hits = hits if rule.status == "shadow" else ""
    asks = f"function {rule.function}" if rule.function else ""
    return (rule.name, rule.status, rule.score, shadow_hits, ", ".join(filter(None, (rule.when, asks))))


@rulesets.command("facts")
def facts_command() -> None:
    """What a rule's condition can ask about, and in which unit."""
    click.echo(table(("fact", "kind", "unit"), facts_in_words(payment_features())))
