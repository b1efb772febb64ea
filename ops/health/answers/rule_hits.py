"""How often each fraud rule has fired in the last hour and in the one before, with the payments of each, and how often
each rule in shadow would have."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.kafka.reading import TopicReader
from connectors.kafka.topics import FRAUD_ALERTS, PAYMENTS, SHADOW_HITS
from connectors.settings import Settings
from events import FraudAlert, ShadowHit
from ops.health.answers.brokers import READ_SECONDS, Offsets, committed_reader, first_since, report_nothing

HOUR_MS = 3_600_000
MOST_ALERTS = 50_000
"""Number of alerts of two hours above which none is read: they would take too long."""
MOST_SHADOW_HITS = 50_000
"""Number of hits in shadow of an hour above which none is read."""


@dataclass(frozen=True)
class Hour:
    """What happened in one hour of event time."""

    payments: int = 0
    hits: Mapping[str, int] = field(default_factory=dict)
    """Number of alerts that name a rule as newly broken, by rule."""


@dataclass(frozen=True)
class RuleHits:
    """The last two hours."""

    last: Hour = Hour()
    before: Hour = Hour()
    are_too_many: bool = False
    """Whether there are too many alerts to be counted."""


def read_rule_hits(settings: Settings, ends: Offsets, now_ms: int) -> RuleHits:
    """Count the payments, and read the alerts, of two hours.

    Raises:
        ConnectionError, KafkaError: a broker is unavailable.
    """
    with closing(committed_reader(settings)) as consumer:
        alerts = first_since(consumer, FRAUD_ALERTS.name, now_ms - 2 * HOUR_MS, ends)
        if _records(alerts, ends) > MOST_ALERTS:
            return RuleHits(are_too_many=True)
        payments = [
            _records(first_since(consumer, PAYMENTS.name, now_ms - hours * HOUR_MS, ends), ends) for hours in (1, 2)
        ]
        last, before = _hits(consumer, alerts, ends, now_ms - HOUR_MS) if alerts else (Counter(), Counter())
    return RuleHits(Hour(payments[0], last), Hour(payments[1] - payments[0], before))


def read_shadow_hits(settings: Settings, ends: Offsets, now_ms: int) -> Mapping[str, int] | None:
    """Count the payments of the last hour that broke each rule in shadow; None if there are too many.

    Raises:
        ConnectionError, KafkaError: a broker is unavailable.
    """
    rules: dict[str, tuple[str, ...]] = {}
    with closing(committed_reader(settings)) as consumer:
        begin = first_since(consumer, SHADOW_HITS.name, now_ms - HOUR_MS, ends)
        if _records(begin, ends) > MOST_SHADOW_HITS:
            return None
        for value in _values(consumer, begin, ends):
            with suppress(msgspec.MsgspecError):
                hit = msgspec.json.decode(value, type=ShadowHit)
                if hit.event_time >= now_ms - HOUR_MS:
                    rules[hit.event_id] = hit.rules
    return Counter(rule for broken in rules.values() for rule in broken)


def _hits(consumer: Any, begin: Offsets, ends: Offsets, border_ms: int) -> tuple[Counter[str], Counter[str]]:
    """Return the hits since a time, and those before it."""
    last: Counter[str] = Counter()
    before: Counter[str] = Counter()
    seen: set[str] = set()
    for value in _values(consumer, begin, ends):
        alert = _alert(value)
        if alert and alert.event_id not in seen and alert.event_time >= border_ms - HOUR_MS:
            seen.add(alert.event_id)
            (last if alert.event_time >= border_ms else before).update(each.rule for each in alert.rules)
    return last, before


def _values(consumer: Any, begin: Offsets, ends: Offsets) -> Iterator[bytes]:
    """Yield the values of the records between these offsets; nothing of a topic that doesn't exist."""
    if not begin:
        return
    reader = TopicReader(consumer, begin, report_nothing)
    reader.seek(begin)
    for records in reader.read_to({each: ends[each] for each in begin}, READ_SECONDS):
        for record in records:
            yield record.value or b""


def _alert(value: bytes) -> FraudAlert | None:
    """Return an alert that names rules which were newly broken."""
    try:
        alert = msgspec.json.decode(value, type=FraudAlert)
    except msgspec.MsgspecError:
        return None
    return None if alert.event_type == "fraud_alert.closed" else alert


def _records(begin: Offsets, ends: Offsets) -> int:
    return sum(ends[each] - offset for each, offset in begin.items())
