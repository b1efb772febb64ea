"""Versions of the fraud rules: reads and publishes them, always before the time from which they apply."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from kafka import KafkaProducer

from connectors.kafka.client import kafka_client
from connectors.kafka.reading import committed_records
from connectors.kafka.topics import FRAUD_RULESETS, SHADOW_HITS
from connectors.settings import Settings
from events import Ruleset, ShadowHit
from ops.formats import now_ms, time_in_words
from udfs.fraud import ruleset_files
from udfs.fraud.features import payment_features
from udfs.fraud.rules import RulesetError, published_rules
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
    """The version was not published, or is not in force; the message gives the reason and the remedy."""


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
        effective_from: UTC milliseconds. By default the first version applies to all payments, and a later one from
            `LEAD` after now.

    Raises:
        RulesetError: the rules are invalid; nothing was published.
        PublicationError: `effective_from` is too early, or another version was published at the same moment.
    """
    now = now_ms()
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
            f"another operator published version {ruleset.version} just before; check it, then repeat"
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
            f"a version can apply from {time_in_words(earliest)} at the earliest: what was decided before must be "
            "decided the same when it is replayed"
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
