"""Rulesets are followed in a thread while a job runs; loading them is tested on a broker."""

import pickle
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kafka.errors import KafkaError

from connectors.kafka.rulesets import KafkaRulesets, RulesetsUnavailableError
from tests.builders.events import rule, ruleset
from udfs.fraud.features import payment_features
from udfs.fraud.rules import RulesetHistory
from udfs.fraud.ruleset_sources import Rulesets


class Reader:
    """A reader of a topic: each poll returns what `found` returns."""

    def __init__(self, found: Callable[[], list[Any]]) -> None:
        self.found = found
        self.polls = 0
        self.closed = False

    def poll(self, timeout_ms: int) -> list[Any]:
        assert timeout_ms > 0
        self.polls += 1
        return self.found()

    def close(self) -> None:
        self.closed = True


class Task:
    """A task that judges by the rulesets."""

    is_cancelled = has_failed = False

    def failed(self) -> None:
        self.has_failed = True

    def is_wanted(self) -> bool:
        return not self.is_cancelled


def history() -> RulesetHistory:
    return RulesetHistory(payment_features(), "EUR")


def test_rulesets_are_followed_until_a_cancelled_task_wants_no_more() -> None:
    task = Task()

    def found() -> list[Any]:
        task.is_cancelled = reader.polls == 3
        return []

    reader, rulesets = Reader(found), KafkaRulesets("kafka:9092", "rules")

    rulesets._follow(reader, history(), threading.Event(), task)

    assert reader.polls == 3
    assert reader.closed
    assert not task.has_failed
    rulesets.check()


def test_invalid_ruleset_is_logged_and_the_next_one_is_in_force(caplog: pytest.LogCaptureFixture) -> None:
    task, versions = Task(), history()

    def found() -> list[Any]:
        task.is_cancelled = True
        large = ruleset(rule("large", f"count_1m > {'9' * 310}"), version=1)
        values = (None, b"{", msgspec.json.encode(large), msgspec.json.encode(ruleset(version=2)))
        return [SimpleNamespace(topic="rules", partition=0, offset=at, value=v) for at, v in enumerate(values, 40)]

    rulesets = KafkaRulesets("kafka:9092", "rules")

    rulesets._follow(Reader(found), versions, threading.Event(), task)

    rulesets.check()
    assert len(versions) == 1
    ignored = [each for each in caplog.messages if each.startswith("ignoring the ruleset")]
    assert [each.partition(":")[0] for each in ignored] == [
        f"ignoring the ruleset at rules-0@{at}" for at in (40, 41, 42)
    ]
    assert "has more than 15 digits" in ignored[-1]


def test_lost_topic_is_reported_to_the_task_and_by_the_next_check() -> None:
    def found() -> list[Any]:
        raise KafkaError("no broker within 500 ms")

    task, reader, rulesets = Task(), Reader(found), KafkaRulesets("kafka:9092", "rules")

    rulesets._follow(reader, history(), threading.Event(), task)

    assert task.has_failed
    assert reader.closed
    with pytest.raises(RulesetsUnavailableError, match=r"topic rules can't be followed any more: .*no broker"):
        rulesets.check()


def test_rulesets_can_be_sent_to_where_payments_are_judged() -> None:
    rulesets: Rulesets = pickle.loads(pickle.dumps(KafkaRulesets("kafka:9092", "rules")))

    rulesets.check()
    rulesets.close()
