"""A ruleset is in force, and its rules have the ratio of their hits in the last hour to those in the hour before."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kafka import TopicPartition

from connectors.settings import Settings
from events import BrokenRule, FraudAlert, ShadowHit
from ops.health.answers import rule_hits
from ops.health.answers.rule_hits import HOUR_MS, Hour, RuleHits, read_rule_hits, read_shadow_hits
from ops.health.check import Reading
from ops.health.measures import rules
from ops.rules.rulesets import Published
from tests.builders.events import fraud_alert, rule, ruleset
from tests.builders.health import NOW_MS, scope, values
from tests.unit.health.fake_consumer import Consumer

ALERTS = TopicPartition("fraud-alerts", 0)
PAYMENTS, PAYMENTS_1 = TopicPartition("payments", 0), TopicPartition("payments", 1)


VALID = Published(0, ruleset(version=1, effective_from=0), version=1)
FUTURE = Published(1, ruleset(version=2, effective_from=NOW_MS + 60_000), version=2)
REJECTED = Published(2, None, "rule 'a': no such fact\nand more", 3)


@pytest.mark.parametrize(
    ("published", "value", "detail"),
    [
        ([VALID], 0, "version 1 is in force"),
        ([VALID, FUTURE, REJECTED], 0, "version 1 is in force"),
        ([], 1, "none was published"),
        ([REJECTED], 1, "none was published"),
        ([FUTURE], 1, "the first applies from 2026-03-01 12:01:00 UTC"),
    ],
)
def test_ruleset_must_be_in_force(published: list[Published], value: float, detail: str) -> None:
    assert list(rules.missing(scope(rulesets=published))) == [Reading("fraud-rulesets", value, detail)]


@pytest.mark.parametrize(
    ("published", "value", "detail"),
    [
        ([], 0, ""),
        ([REJECTED, VALID], 0, ""),
        ([VALID, REJECTED], 1, "rule 'a': no such fact"),
        ([VALID, REJECTED, REJECTED], 2, "rule 'a': no such fact"),
    ],
)
def test_rejected_publications_count_since_the_last_valid_one(
    published: list[Published], value: float, detail: str
) -> None:
    assert list(rules.rejected(scope(rulesets=published))) == [Reading("fraud-rulesets", value, detail)]


RULES = [rule("a"), rule("b"), rule("shadow", status="shadow")]
IN_FORCE = Published(0, ruleset(*RULES, version=1, effective_from=0), version=1)
WITHDRAWN = Published(1, ruleset(rule("b"), version=2, effective_from=0), version=2)
LATER = Published(1, ruleset(rule("b"), version=2, effective_from=NOW_MS + 1), version=2)


def readings(last: Hour, before: Hour, *published: Published) -> list[Reading]:
    """Return the readings, by default with all rules in force."""
    return list(rules.hit_rate(scope(rule_hits=RuleHits(last, before), rulesets=published or (IN_FORCE,))))


def ratio(last: Hour, before: Hour, *published: Published) -> dict[str, float]:
    """Return the ratios by rule."""
    return values(readings(last, before, *published))


def test_rule_that_fires_more_often_has_its_ratio_with_both_numbers() -> None:
    assert readings(Hour(10_000, {"a": 120}), Hour(5_000, {"a": 30})) == [
        Reading("a", 2, "120 hits in 10,000 payments of the last hour, 30 hits in 5,000 payments of the hour before")
    ]


def test_rule_that_fires_less_often_has_the_inverse_ratio() -> None:
    assert ratio(Hour(1_000, {"a": 40}), Hour(1_000, {"a": 200})) == {"a": 5}


def test_rule_that_has_fallen_silent_has_the_hits_to_be_expected_of_as_many_payments() -> None:
    assert ratio(Hour(500, {"b": 30}), Hour(1_000, {"a": 90, "b": 60})) == {"a": 45, "b": 1}


def test_rare_rule_that_fires_often_is_compared() -> None:
    assert ratio(Hour(1_000, {"a": 400}), Hour(1_000, {"a": 2})) == {"a": 200}


@pytest.mark.parametrize(
    ("last", "before"),
    [
        (Hour(1_000, {"a": 29}), Hour(1_000, {"a": 29})),
        (Hour(1_000, {"a": 1}), Hour(2_000, {"a": 59})),
        (Hour(1_000, {"a": 29}), Hour(1_000, {"a": 1})),
        (Hour(1_000, {"a": 400}), Hour(1_000, {"b": 29})),
        (Hour(1_000, {"a": 400}), Hour(0, {"a": 400})),
        (Hour(0), Hour(1_000, {"a": 400})),
        (Hour(), Hour()),
    ],
)
def test_too_few_hits_or_no_payments_are_not_compared(last: Hour, before: Hour) -> None:
    assert ratio(last, before) == {}


@pytest.mark.parametrize(
    ("published", "compared"), [([IN_FORCE, WITHDRAWN], set()), ([IN_FORCE, LATER], {"a"}), ([LATER], set())]
)
def test_rule_that_is_not_active_in_the_ruleset_in_force_is_not_compared(
    published: list[Published], compared: set[str]
) -> None:
    hour = Hour(1_000, {"a": 400, "shadow": 400})

    assert ratio(Hour(1_000), hour, *published).keys() == compared


class Reader:
    """A reader of alerts, in place of one of a topic."""

    def __init__(self, alerts: list[bytes], begin: Mapping[TopicPartition, int]) -> None:
        self.alerts, self.begin = alerts, begin

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        assert offsets == self.begin

    def read_to(self, ends: Mapping[TopicPartition, int], _seconds: float) -> list[Any]:
        assert ends == {ALERTS: 9}
        return [[SimpleNamespace(value=each) for each in self.alerts]]


def alert(event_id: str, age_minutes: int, *names: str, **more: Any) -> FraudAlert:
    """Return an alert of some minutes ago that names rules."""
    broken = tuple(BrokenRule(rule=name, score=50, reason=name) for name in names)
    return msgspec.structs.replace(
        fraud_alert(event_id), event_time=NOW_MS - age_minutes * 60_000, rules=broken, **more
    )


HITS = TopicPartition("fraud-shadow-hits", 0)


def read_shadow(monkeypatch: pytest.MonkeyPatch, hits: list[bytes]) -> Mapping[str, int] | None:
    """Return the hits in shadow of a topic that has two records of the last hour."""
    ends = {HITS: 9}
    times = {HITS: {0: NOW_MS - 90 * 60_000, 7: NOW_MS - 60_000, 8: NOW_MS - 60_000}}
    monkeypatch.setattr(rule_hits, "committed_reader", lambda _: Consumer({HITS: [0, 7, 8]}, ends, times=times))
    monkeypatch.setattr(
        rule_hits,
        "TopicReader",
        lambda *_: SimpleNamespace(
            seek=lambda _: None, read_to=lambda *_: [[SimpleNamespace(value=each) for each in hits]]
        ),
    )
    return read_shadow_hits(Settings(), ends, NOW_MS)


def shadow_hit(event_id: str, age_minutes: int, *names: str) -> bytes:
    """Return a hit in shadow of some minutes ago."""
    hit = ShadowHit(
        event_id=event_id,
        event_time=NOW_MS - age_minutes * 60_000,
        card_id="c1",
        payment_id=event_id,
        ruleset_version=1,
        rules=names,
    )
    return msgspec.json.encode(hit)


def test_hits_in_shadow_of_the_last_hour_are_counted_once_by_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = [
        shadow_hit("a", 59, "night", "far"),
        shadow_hit("a", 59, "night", "far"),  # written again after a restart
        shadow_hit("b", 1, "night"),
        shadow_hit("c", 61, "night"),  # out of order
        b"no hit",
    ]

    assert read_shadow(monkeypatch, hits) == {"night": 2, "far": 1}


def test_too_many_hits_in_shadow_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_hits, "MOST_SHADOW_HITS", 1)

    assert read_shadow(monkeypatch, []) is None


def read(monkeypatch: pytest.MonkeyPatch, alerts: list[bytes]) -> RuleHits:
    """Return the hits of a topic of alerts, and of payments 10, 70, 90 and 200 minutes ago."""
    minutes = {PAYMENTS: {0: 200, 1: 90, 2: 10}, PAYMENTS_1: {5: 70}, ALERTS: {0: 300, 4: 100, 8: 1}}
    times = {each: {offset: NOW_MS - age * 60_000 for offset, age in ages.items()} for each, ages in minutes.items()}
    ends = {PAYMENTS: 3, PAYMENTS_1: 6, ALERTS: 9}
    consumer = Consumer({each: list(ages) for each, ages in minutes.items()}, ends, times=times)
    monkeypatch.setattr(rule_hits, "committed_reader", lambda _: consumer)
    monkeypatch.setattr(rule_hits, "TopicReader", lambda _, begin, __: Reader(alerts, begin))
    return read_rule_hits(Settings(), ends, NOW_MS)


def test_alerts_are_counted_once_in_their_hour_by_each_rule_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    alerts = [
        alert("a", 100, "many", "far"),
        alert("a", 100, "many", "far"),  # written again after a restart
        alert("b", 59, "many", event_type="fraud_alert.escalated"),
        alert("c", 1, "many"),
        alert("d", 1, "many", event_type="fraud_alert.closed"),
        alert("e", 121, "many"),  # out of order
    ]

    found = read(monkeypatch, [*map(msgspec.json.encode, alerts), b"no alert"])

    assert found == RuleHits(Hour(1, {"many": 2}), Hour(2, {"many": 1, "far": 1}))


def test_too_many_alerts_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_hits, "MOST_ALERTS", 4)

    assert read(monkeypatch, []) == RuleHits(are_too_many=True)


def test_without_a_topic_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_hits, "committed_reader", lambda _: Consumer({}, {}))

    assert read_rule_hits(Settings(), {}, NOW_MS + HOUR_MS) == RuleHits()


def test_payments_are_counted_also_if_no_alert_is_of_the_last_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {PAYMENTS: 2, ALERTS: 9}
    times = {PAYMENTS: {0: NOW_MS - 90 * 60_000, 1: NOW_MS - 60_000}, ALERTS: {0: NOW_MS - 3 * HOUR_MS}}
    consumer = Consumer({PAYMENTS: [0, 1], ALERTS: [0]}, ends, times=times)
    monkeypatch.setattr(rule_hits, "committed_reader", lambda _: consumer)

    assert read_rule_hits(Settings(), ends, NOW_MS) == RuleHits(Hour(1), Hour(1))
